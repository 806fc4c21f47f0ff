"""What NLTK's word_tokenize (untrained Punkt) and GEM-metrics' definitions make of texts of our own:
../fixtures/text-statistics.json. Needs nltk; no data of it.
"""
import collections
import json
import os

from nltk.tokenize import word_tokenize
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

texts = [
    'The cat sat. The cat ran.',
    'A dog sat.',
    "I didn't say \"no\"; they'll go, won't they? Yes... they will!",
    "He said: 'It costs $1,250.50 (about 3-4%) -- cheap.' Then he left!!",
    'J. Smith met A. B. Jones at 10:30. "Is it late?" she asked. (It was.) Good.',
    "'Twas cold. I cannot stay; gimme that. We're gonna go, John's dog too.",
    'Über café, naïve «Größe»: “quoted” – dashes — and ‘single’ quotes’ end.',
    'Lists: [a], {b} <c> @home #1 & 50% * star. See e.g. this, etc. and so on. Plan B. it is.',
    "rock 'n' roll in the '90s, o'clock, the boys' toys; it's 5 o'clock",
    '',
    'One.Two three.  Four ... Five .. six. 3.14 is pi. In 1999. Then',
    'In 1999. then it was 3. Then (2.5. "so) it went on. "A." said b. So X. 7 is it.',
    'What?! Really?? "Yes." "No!" he said...',
]
long = [' '.join(f'w{(i * k) % (37 + k)}' for i in range(130)) + '.' for k in (1, 3, 7)]
splitter = PunktSentenceTokenizer(PunktParameters())


def tokens(text):
    sentences = splitter.tokenize(text)
    found = [t for one in sentences for t in word_tokenize(one, preserve_line=True)]
    return [token.lower() for token in found]


def statistics(corpus):
    split = [tokens(text) for text in corpus]
    flat = [token for one in split for token in one]
    out = {'answer_length': len(flat) / len(split)}
    for n in (1, 2):
        counts = collections.Counter(
            tuple(one[i:i + n]) for one in split for i in range(len(one) - n + 1)
        )
        out[f'distinct_{n}'] = len(counts) / sum(counts.values())
        out[f'unique_{n}'] = sum(count == 1 for count in counts.values())
    windows = [flat[i:i + 100] for i in range(0, len(flat) - 99, 100)]
    if windows:
        out['msttr_100'] = sum(len(set(one)) / 100 for one in windows) / len(windows)
    return out


out = {
    'tokens': [{'text': text, 'tokens': tokens(text)} for text in texts],
    'corpora': [
        {'texts': corpus, 'statistics': statistics(corpus)} for corpus in (texts[:2], texts, long)
    ],
}
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, '..', 'fixtures', 'text-statistics.json'), 'w') as target:
    json.dump(out, target, indent=1, ensure_ascii=False)
    target.write('\n')
