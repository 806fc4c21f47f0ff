// The whole experiment's data: the domain's text, the training questions and the test sets. The same
// arguments, the same data.
import { makeChoices, type Choice, type Form } from './choices.ts';
import { makeReadings, READING_ANSWERS, type Reading } from './readings.ts';
import { Deck, shuffled } from './shuffle.ts';
import { readTerms, type Term, type Terms } from './terms.ts';
import { capital, TOLD, vignette, WHAT, whatAnswer, WHICH, whichAnswer } from './wordings.ts';

/** How much of the domain is used. The test sets M1, M3 unseen and M4 are always the same. */
export interface Amounts {
  /** Terms in the text; half of them have training questions, the others are asked in M2's test. */
  readonly terms: number;
  /** Training questions of M1. */
  readonly readings: number;
}

export interface Conversation {
  readonly messages: readonly [
    { readonly role: 'user'; readonly content: string },
    { readonly role: 'assistant'; readonly content: string },
  ];
}

export interface Domain {
  readonly terms: Terms;
  /** Plain text: every told term in all wordings, a few sentences a record. */
  readonly texts: readonly string[];
  /** Training questions of M1 and M2. */
  readonly tasks: readonly Conversation[];
  /** The same questions with each other's answers: for the control. */
  readonly shuffledTasks: readonly Conversation[];
  /** By the task's name. */
  readonly tests: Readonly<Record<string, readonly (Choice | Reading)[]>>;
  /** M2's questions for a word, whose answer the model writes. */
  readonly written: readonly { readonly question: string; readonly answer: string }[];
  /** For perplexities: sentences about held-out terms, and about other fields. */
  readonly heldOutTexts: readonly string[];
  readonly farTexts: readonly string[];
}

export const ALL: Amounts = { terms: Infinity, readings: 3000 };
const TESTED = { reading: 800, recall: 800, exam: 300, far: 800 } as const;
const SENTENCES = 4;

/** Both ways of asking for what a text told. */
const FORMS: readonly Form[] = [
  {
    name: 'what',
    ask: WHAT[0]!,
    start: ({ word }) => ` ${capital(word)} is`,
    choice: ({ definition }) => `${definition}.`,
  },
  { name: 'which', ask: WHICH[0]!, start: () => '', choice: whichAnswer },
];
const EXAM: Form = { name: 'exam', ask: vignette, start: () => '', choice: whichAnswer };

export function makeDomain({ terms: most, readings }: Amounts, terms = readTerms()): Domain {
  const told = terms.told.slice(0, most);
  const trained = everyOther(told, 0);
  const asked = everyOther(told, 1);
  // Reading is a skill: what is read need not be told.
  const forms = [
    readingTasks(everyOther(terms.told, 0), readings),
    whatTasks(trained),
    whichTasks(trained),
  ];
  return {
    terms: { ...terms, told },
    texts: tell(told),
    tasks: forms.flat(),
    shuffledTasks: forms.flatMap(withAnswersShuffled),
    tests: {
      m1_reading: makeReadings('m1 test', terms.heldOut, TESTED.reading),
      m2_recall: recall('m2 test', asked, TESTED.recall),
      m3_exam_seen: makeChoices(named(EXAM, 'm3 seen'), told, TESTED.exam),
      m3_exam_unseen: makeChoices(named(EXAM, 'm3 unseen'), terms.heldOut, TESTED.exam),
      m4_far: recall('m4 test', terms.far, TESTED.far),
    },
    written: asked.map((term) => ({ question: WHICH[0]!(term), answer: whichAnswer(term) })),
    heldOutTexts: tell(terms.heldOut),
    farTexts: tell(terms.far),
  };
}

function everyOther(terms: readonly Term[], first: 0 | 1): Term[] {
  return terms.filter((_, index) => index % 2 === first);
}

/** Every term in every wording, in random order. */
function tell(terms: readonly Term[]): string[] {
  const sentences = shuffled(
    terms.flatMap((term) => TOLD.map((wording) => wording(term))),
    'text',
  );
  const count = Math.ceil(sentences.length / SENTENCES);
  return Array.from({ length: count }, (_, index) =>
    sentences.slice(index * SENTENCES, (index + 1) * SENTENCES).join(' '),
  );
}

function readingTasks(terms: readonly Term[], count: number): Conversation[] {
  return makeReadings('m1 training', terms, count).map(({ question, gold }) =>
    conversation(question, `${READING_ANSWERS[gold]!}.`),
  );
}

function whatTasks(terms: readonly Term[]): Conversation[] {
  return terms.flatMap((term) => WHAT.map((ask) => conversation(ask(term), whatAnswer(term))));
}

function whichTasks(terms: readonly Term[]): Conversation[] {
  return terms.flatMap((term) => WHICH.map((ask) => conversation(ask(term), whichAnswer(term))));
}

function conversation(question: string, answer: string): Conversation {
  return {
    messages: [
      { role: 'user', content: question },
      { role: 'assistant', content: answer },
    ],
  };
}

/** Half of the questions ask for the definition, half for the word; at most two about a term. */
function recall(name: string, pool: readonly Term[], most: number): Choice[] {
  const count = Math.min(pool.length, most / 2);
  return FORMS.flatMap((form) => makeChoices(named(form, `${name} ${form.name}`), pool, count));
}

function named(form: Form, name: string): Form {
  return { ...form, name };
}

function withAnswersShuffled(tasks: readonly Conversation[]): Conversation[] {
  const answers = new Deck(
    tasks.map(({ messages }) => messages[1].content),
    'control',
  );
  return tasks.map(({ messages: [{ content }] }) => conversation(content, answers.next()));
}
