"""Writes losses.json: losses of three answers in float64, token by token by the formulas of the papers (no library of losses).
Usage: python make.py"""
import json
import math
from pathlib import Path

NEW = [[-1.0, -0.5, -2.0], [-0.3, -1.2], [-0.7, -0.9, -1.1, -0.2]]
OLD = [[-1.1, -0.8, -1.9], [-0.6, -0.9], [-0.7, -1.4, -1.0, -0.3]]
REF = [[-0.9, -0.6, -2.4], [-0.5, -1.0], [-1.0, -0.8, -1.3, -0.4]]
A = [1.3, -0.8, -0.5]
MOST = 6
clip = lambda x, low, high: max(low, min(high, x))


def loss(lossType="dapo", importanceSamplingLevel="token", epsilon=0.2, epsilonHigh=None, delta=None, beta=0.0,
         useBiasCorrectionKl=True):
    high = epsilon if epsilonHigh is None else epsilonHigh
    totals = []
    for new, old, ref, advantage in zip(NEW, OLD, REF, A):
        logs = [n - o for n, o in zip(new, old)]
        if lossType == "rloo":
            ratio = math.exp(sum(logs))
            totals.append(-min(ratio * advantage, clip(ratio, 1 - epsilon, 1 + high) * advantage))
            continue
        total = 0
        for n, r, log in zip(new, ref, logs):
            ratio = math.exp(sum(logs) / len(logs) if importanceSamplingLevel == "sequence" else log)
            if lossType == "cispo":
                token = -min(ratio, high) * advantage * n
            else:
                free = ratio if delta is None else min(ratio, delta)
                token = -min(free * advantage, clip(ratio, 1 - epsilon, 1 + high) * advantage)
            u = r - n
            token += beta * (math.exp(u) - u - 1) * (ratio if useBiasCorrectionKl else 1)
            total += token
        totals.append(total / {"grpo": len(new), "dr_grpo": MOST}.get(lossType, 1))
    return sum(totals)


CASES = [{}, {"lossType": "grpo"}, {"lossType": "dr_grpo"}, {"lossType": "bnpo"}, {"lossType": "rloo"}, {"lossType": "rloo", "epsilon": 0.5},
         {"lossType": "cispo", "epsilonHigh": 1.1}, {"epsilonHigh": 0.28}, {"beta": 0.04}, {"beta": 0.04, "useBiasCorrectionKl": False},
         {"lossType": "grpo", "beta": 0.5}, {"delta": 1.15}, {"importanceSamplingLevel": "sequence", "beta": 0.1, "epsilon": 0.05},
         {"importanceSamplingLevel": "sequence", "lossType": "grpo", "epsilon": 0.01},
         {"importanceSamplingLevel": "sequence", "lossType": "dr_grpo", "beta": 0.1, "useBiasCorrectionKl": False}]
document = {"new": NEW, "old": OLD, "reference": REF, "advantages": A, "maxCompletionLength": MOST,
            "cases": [{"numbers": numbers, "value": loss(**numbers)} for numbers in CASES]}
(Path(__file__).parent / "losses.json").write_text(json.dumps(document, indent=1) + "\n")
for case in document["cases"]:
    print(case["numbers"], round(case["value"], 9))
