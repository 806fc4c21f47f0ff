// Talk of our own making: greetings, thanks, who the model is, and declining what it cannot know.
import type { Draw } from './random.ts';
import type { Question } from './scene.ts';
import { capital, withArticle } from './sentence.ts';

const SMALL: readonly [questions: readonly string[], answers: readonly string[]][] = [
  [
    ['Hello.', 'Hi.', 'Hi there!', 'Good morning.', 'Hello!', 'Hey.'],
    ['Hello! What would you like to know?'],
  ],
  [['How are you?', 'How do you do?', 'Are you well?'], ['I am well, thank you. How can I help?']],
  [['Thank you.', 'Thanks.', 'Thanks a lot!', 'Thank you very much.'], ['You are welcome.']],
  [['Goodbye.', 'Bye.', 'See you later.', 'Good night.'], ['Goodbye!']],
  [
    ['Who are you?', 'What are you?', 'What is your name?', 'Tell me about yourself.'],
    ['I am a very small language model. I know simple facts.'],
  ],
  [
    ['What can you do?', 'What do you know?', 'How can you help me?', 'What can I ask you?'],
    ['Ask me about animals, things, countries, opposites, or a short story.'],
  ],
  [['Are you a human?', 'Are you a person?', 'Are you alive?'], ['No, I am a computer program.']],
  [['That is right.', 'Well done.', 'Very good.', 'Good answer.'], ['Thank you!']],
  [
    ['That is wrong.', 'You are wrong.', 'No, that is not right.'],
    ['I am sorry. I make mistakes.'],
  ],
  [['Who made you?', 'Where do you come from?'], ['I was trained with LMFlow for TypeScript.']],
];

/** Questions about the moment or about persons: no text can have taught the answer. */
const UNKNOWABLE = [
  'What time is it?',
  'What is the weather like today?',
  'What did I eat this morning?',
  'How old am I?',
  'What is my name?',
  'Where do I live?',
  'Who will win the game tomorrow?',
  'What am I thinking of?',
  'What is the news today?',
  'How much money do I have?',
];

const STARTS = 'b bl br c d dr f fl g gl gr h j k kl l m n p pl qu r s sk sn t tr v w z zr'.split(
  ' ',
);
const VOWELS = 'a e i o u oo ee a o'.split(' ');
const ENDS = 'b ck d ff g l m mp n nk p rt sh st x zz th rb'.split(' ');

export function smallTalk(draw: Draw): Question {
  if (draw.chance(0.15)) {
    return {
      question: draw.one(UNKNOWABLE),
      answer: 'I do not know that. I only know simple facts.',
    };
  }
  const [questions, answers] = draw.one(SMALL);
  return { question: draw.one(questions), answer: draw.one(answers) };
}

/** A question about a word that no one knows, and the answer that says so. */
export function unknownWord(draw: Draw, isWord: (word: string) => boolean): Question {
  let word = inventedWord(draw);
  while (isWord(word)) word = inventedWord(draw);
  const name = capital(word);
  const thing = withArticle(word);
  const [question, what] = draw.one<[string, string]>([
    [`What is ${thing}?`, `what ${thing} is`],
    [`What kind of thing is ${thing}?`, `what ${thing} is`],
    [`Tell me what ${thing} is.`, `what ${thing} is`],
    [`Do you know what ${thing} is?`, `what ${thing} is`],
    [`What does the word ${word} mean?`, `the word ${word}`],
    [`What is the opposite of ${word}?`, `the word ${word}`],
    [`What is the capital of ${name}?`, `the country ${name}`],
    [`Where is ${name}?`, `where ${name} is`],
    [`What color is ${thing}?`, `what ${thing} is`],
    [`What is ${thing} used for?`, `what ${thing} is`],
  ]);
  return { question, answer: `I do not know ${what}.` };
}

function inventedWord(draw: Draw): string {
  const syllables = draw.between(1, 2);
  let word = '';
  for (let count = 0; count < syllables; count++) word += draw.one(STARTS) + draw.one(VOWELS);
  return word + draw.one(ENDS) + (draw.chance(0.3) ? draw.one(['en', 'er', 'ia', 'le', 'y']) : '');
}
