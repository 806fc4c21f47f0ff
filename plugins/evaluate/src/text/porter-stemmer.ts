// The stem of an English word: Porter's algorithm (1980) with the extensions of NLTK, which
// rouge-score uses.

/** Words with a stem of their own. */
const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ['skies', 'sky'],
  ['sky', 'sky'],
  ['dying', 'die'],
  ['lying', 'lie'],
  ['tying', 'tie'],
  ['news', 'news'],
  ['innings', 'inning'],
  ['inning', 'inning'],
  ['outings', 'outing'],
  ['outing', 'outing'],
  ['cannings', 'canning'],
  ['canning', 'canning'],
  ['howe', 'howe'],
  ['proceed', 'proceed'],
  ['exceed', 'exceed'],
  ['succeed', 'succeed'],
]);

type Rule = readonly [suffix: string, replacement: string];

const rulesOf = (text: string): readonly Rule[] =>
  text.split(' ').map((rule) => rule.split('>') as [string, string]);

const STEP_2 = rulesOf(
  'ational>ate tional>tion enci>ence anci>ance izer>ize bli>ble alli>al entli>ent eli>e ousli>ous ' +
    'ization>ize ation>ate ator>ate alism>al iveness>ive fulness>ful ousness>ous aliti>al ' +
    'iviti>ive biliti>ble fulli>ful',
);
const STEP_3 = rulesOf('icate>ic ative> alize>al iciti>ic ical>ic ful> ness>');
const STEP_4 = rulesOf(
  'al> ance> ence> er> ic> able> ible> ant> ement> ment> ent> ion> ou> ism> ate> iti> ous> ive> ize>',
);

/** The stem of a word of lower case letters and digits. */
export function porterStem(word: string): string {
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  if (word.length <= 2) return word;
  return [plural, past, finalY, derived, shortened, stripped, finalE].reduce(
    (stem, step) => step(stem),
    word,
  );
}

/** `c` and `v` for consonants and vowels; y is a vowel behind a consonant. */
function shapeOf(word: string): string {
  let shape = '';
  for (const letter of word) {
    const isVowel = /[aeiou]/.test(letter) || (letter === 'y' && shape.endsWith('c'));
    shape += isVowel ? 'v' : 'c';
  }
  return shape;
}

/** How often a vowel is followed by a consonant. */
function measure(stem: string): number {
  return shapeOf(stem).split('vc').length - 1;
}

/** Whether a stem lost an e, as `hop` of `hoping`. */
function isShort(stem: string): boolean {
  const shape = shapeOf(stem);
  return shape === 'vc' || (shape.endsWith('cvc') && !/[wxy]$/.test(stem));
}

/** The first rule whose suffix is there is applied where its stem allows it, and no other. */
function applied(word: string, rules: readonly Rule[], allows: (stem: string) => boolean): string {
  const rule = rules.find(([suffix]) => word.endsWith(suffix));
  if (rule === undefined) return word;
  const stem = word.slice(0, word.length - rule[0].length);
  return allows(stem) ? stem + rule[1] : word;
}

function plural(word: string): string {
  if (word.endsWith('ies') && word.length === 4) return word.slice(0, -1);
  return applied(word, rulesOf('sses>ss ies>i ss>ss s>'), () => true);
}

function past(word: string): string {
  if (word.endsWith('ied')) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const suffix = ['ed', 'ing'].find(
    (one) => word.endsWith(one) && shapeOf(word.slice(0, -one.length)).includes('v'),
  );
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  if (/(?:at|bl|iz)$/.test(stem)) return `${stem}e`;
  const isDouble = stem.length > 1 && stem.at(-1) === stem.at(-2) && shapeOf(stem).endsWith('c');
  if (isDouble) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && isShort(stem) ? `${stem}e` : stem;
}

function finalY(word: string): string {
  const stem = word.slice(0, -1);
  const isChanged = word.endsWith('y') && stem.length > 1 && shapeOf(stem).endsWith('c');
  return isChanged ? `${stem}i` : word;
}

function derived(word: string): string {
  if (word.endsWith('alli') && measure(word.slice(0, -4)) > 0) return derived(word.slice(0, -2));
  if (word.endsWith('logi')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  return applied(word, STEP_2, (stem) => measure(stem) > 0);
}

function shortened(word: string): string {
  return applied(word, STEP_3, (stem) => measure(stem) > 0);
}

function stripped(word: string): string {
  return applied(
    word,
    STEP_4,
    (stem) => measure(stem) > 1 && (!word.endsWith('ion') || /[st]$/.test(stem)),
  );
}

function finalE(word: string): string {
  const stem = word.endsWith('e') ? word.slice(0, -1) : word;
  const isKept = stem === word || measure(stem) === 0 || (measure(stem) === 1 && isShort(stem));
  const found = isKept ? word : stem;
  return found.endsWith('ll') && measure(found.slice(0, -1)) > 1 ? found.slice(0, -1) : found;
}
