"""What sacrebleu, rouge-score and NLTK make of made-up texts: ../fixtures/text-metrics.json.

Needs sacrebleu, rouge_score and nltk; the standard errors are lm-evaluation-harness's, with Python's
own generator.
"""
import json
import os
import random

import sacrebleu
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer

pairs = [
    # answer, references
    ('The cat sat on the mat.', ['The cat sat on the mat.']),
    ('A cat is on the mat, I think.', ['The cat sat on the mat.', 'There is a cat on the mat.']),
    ('the the the the the', ['the cat', 'a dog']),
    ('', ['Nothing was said.']),
    ('Nothing', ['']),
    ('It costs $1,250.50 - about 3-4% more &quot;than&quot; in 2019.', ['It costs $1,250.50.']),
    ('Er sagte: «Größe 7½», naïve café\u00a0–\u00a0ok?', ['Er sagt: "Größe 7", naïve Cafés!']),
    ('日本語のテスト。 emoji 👍🏽 here', ['日本語 テスト。 emoji 👍 here']),
    ('One line.\nAnother line of text-\ned words.', ['One line.\nAnother line\nof worded text.']),
    (
        'Running runners ran quickly; the happier relational agencies generously hopped.',
        ['The runner runs quick, and happy agency relations were generous hops.'],
    ),
    ('x' * 5 + ' y z', ['xxxxx y z w', 'xxxxx y', 'xxxxx y z']),
    ('(hi) (well), "so" it\'s I.', ["(hi), well 'so' it is I"]),
]
out = {'pairs': [], 'corpus': {}, 'stems': {}}
scorers = {
    stem: rouge_scorer.RougeScorer(['rouge1', 'rouge2', 'rougeL', 'rougeLsum'], use_stemmer=stem)
    for stem in (False, True)
}
for answer, references in pairs:
    found = {
        'bleu': sacrebleu.corpus_bleu([answer], [[one] for one in references]).score,
        'bleu_intl': sacrebleu.corpus_bleu(
            [answer], [[one] for one in references], tokenize='intl'
        ).score,
        'chrf': sacrebleu.corpus_chrf([answer], [[one] for one in references]).score,
        'chrf++': sacrebleu.corpus_chrf([answer], [[one] for one in references], word_order=2).score,
    }
    for stem, scorer in scorers.items():
        for name, score in scorer.score(references[0], answer).items():
            found[f'{name}_stemmed' if stem else name] = score.fmeasure
    out['pairs'].append({'answer': answer, 'references': references, 'scores': found})


def corpus(items, metric):
    answers = [answer for answer, _ in items]
    references = [[one[0] for _, one in items]]
    if metric == 'bleu':
        return sacrebleu.corpus_bleu(answers, references).score
    return sacrebleu.corpus_chrf(answers, references, word_order=2 * (metric == 'chrf++')).score


def stderr(items, metric, times=100):
    """As lm-evaluation-harness does: 100 draws by the generator of seed 0."""
    rnd = random.Random()
    rnd.seed(0)
    found = [corpus(rnd.choices(items, k=len(items)), metric) for _ in range(times)]
    mean = sum(found) / times
    return (sum((one - mean) ** 2 for one in found) / (times - 1)) ** 0.5


for metric in ('bleu', 'chrf', 'chrf++'):
    out['corpus'][metric] = {'value': corpus(pairs, metric), 'stderr': stderr(pairs, metric)}
stemmer = PorterStemmer()
words = """caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled
sized hopping tanned falling hissing fizzed failing filing happy sky skies relational conditional
rational valenci hesitanci digitizer conformabli radically differently vilely analogously vietnamization
predication operator feudalism decisiveness hopefulness callousness formality sensitivity sensibility
triplicate formative formalize electricity electrical hopeful goodness revival allowance inference
airliner gyroscopic adjustable defensible irritant replacement adjustment dependent adoption homologou
communism activate angularity homologous effective bowdlerize probate rate cease controll roll dying
lying tying news innings outing cannings howe proceed exceed succeed died tried cried flies dies enjoy
enjoyment spy try syzygy toying employed generalizations oscillators biology archaeology logi apology
fully carefully usually totally alli cabbies 3rd 2000s a1ed yyying abled eed ies s ss bing being using
hoped hoping tapped taping making maximum organization nationally rationalize""".split()
out['stems'] = {word: stemmer.stem(word) for word in words}
with open(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fixtures', 'text-metrics.json'), 'w'
) as target:
    json.dump(out, target, indent=1, ensure_ascii=False)
    target.write('\n')
