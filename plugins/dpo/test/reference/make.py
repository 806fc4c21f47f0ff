"""Writes losses.json: losses of one pair in float64, by the formulas of the papers (no library of losses).
Usage: python make.py"""
import json
import math
from pathlib import Path

C, R, RC, RR, NC, NR, M = -12.0, -20.0, -14.0, -19.0, 8, 10, 0.7
sigma = lambda x: 1 / (1 + math.exp(-x))
ls = lambda x: math.log(sigma(x))


def score(u, kind, a):
    if kind == "alpha_divergence":
        return u if a == 1 else (math.exp((a - 1) * u) - 1) / (a - 1)
    return {"reverse_kl": u, "forward_kl": 1 - math.exp(-u), "js_divergence": math.log(2) + ls(u)}[kind]


def kl(x, right, wrong):
    return sigma(x) * (ls(x) - right) + sigma(-x) * (ls(-x) - wrong)


def loss(name, beta=0.1, labelSmoothing=0.0, fDivergenceType="reverse_kl", fAlphaDivergenceCoef=0.5,
         discopopTau=0.05, simpoGamma=0.5):
    e, lc, lr = labelSmoothing, C - RC, R - RR
    sc, sr = (score(u, fDivergenceType, fAlphaDivergenceCoef) for u in (lc, lr))
    x, bc, br, ac, ar = beta * (sc - sr), beta * lc, beta * lr, C / NC, R / NR
    blend = sigma(x / discopopTau)
    odds = (ac - ar) - (math.log(1 - math.exp(ac)) - math.log(1 - math.exp(ar)))
    return {
        "sigmoid": lambda: -(1 - e) * ls(x) - e * ls(-x),
        "robust": lambda: (-(1 - e) * ls(x) + e * ls(-x)) / (1 - 2 * e),
        "hinge": lambda: max(0, 1 - x),
        "ipo": lambda: (sc / NC - sr / NR - 1 / (2 * beta)) ** 2,
        "ipo_sum": lambda: (sc - sr - 1 / (2 * beta)) ** 2,
        "sigmoid_norm": lambda: -ls(beta * (sc / NC - sr / NR)),
        "exo_pair": lambda: kl(x, math.log(1 - e), math.log(e)),
        "rev_kl": lambda: kl(x, ls(M), ls(-M)),
        "nca_pair": lambda: -ls(bc) - 0.5 * ls(-bc) - 0.5 * ls(-br),
        "bco_pair": lambda: -ls(bc) - ls(-br),
        "sppo_hard": lambda: (lc - 0.5 / beta) ** 2 + (lr + 0.5 / beta) ** 2,
        "apo_zero": lambda: 1 - sigma(bc) + sigma(br),
        "apo_down": lambda: sigma(bc) + 1 - sigma(bc - br),
        "discopop": lambda: -(1 - blend) * ls(x) + blend * math.exp(-x),
        "simpo": lambda: -ls(beta * (ac - ar - simpoGamma / beta)),
        "orpo": lambda: -ac - beta * ls(odds),
    }[name]()


CASES = [("sigmoid", {}), ("sigmoid", {"labelSmoothing": 0.1}), ("robust", {"labelSmoothing": 0.1}), ("hinge", {}),
         ("ipo", {}), ("ipo_sum", {}), ("sigmoid_norm", {}), ("exo_pair", {"labelSmoothing": 0.1}), ("rev_kl", {}),
         ("nca_pair", {}), ("bco_pair", {}), ("sppo_hard", {}), ("apo_zero", {}), ("apo_down", {}), ("discopop", {}),
         ("simpo", {"beta": 2.0}), ("orpo", {})]
CASES += [("sigmoid", {"fDivergenceType": kind}) for kind in ("forward_kl", "js_divergence", "alpha_divergence")]
CASES += [("hinge", {"fDivergenceType": "alpha_divergence", "fAlphaDivergenceCoef": 1.0}),
          ("sigmoid", {"fDivergenceType": "alpha_divergence", "fAlphaDivergenceCoef": 2.0})]
document = {
    "inputs": {"chosen": C, "rejected": R, "refChosen": RC, "refRejected": RR, "chosenLength": NC, "rejectedLength": NR,
               "margin": M},
    "cases": [{"loss": name, "numbers": numbers, "value": loss(name, **numbers)} for name, numbers in CASES],
}
(Path(__file__).parent / "losses.json").write_text(json.dumps(document, indent=1) + "\n")
for case in document["cases"]:
    print(case["loss"], case["numbers"], round(case["value"], 9))
