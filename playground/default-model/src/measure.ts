// Asks a model's folder questions, greedily, many at a time, and scores the answers.
import { createKernel } from 'lmflow';
import { GENERATOR, MODELS } from '@lmflow/sdk';
import inference from '@lmflow/preset-inference';
import type { Asked } from './questions.ts';

export interface Answered extends Asked {
  readonly text: string;
  /** It ended by itself. */
  readonly ended: boolean;
}

/** Figures of a set, as parts of 1. */
export interface Score {
  readonly questions: number;
  readonly exact: number;
  readonly ended: number;
  /** Answers in which no four words in a row come twice. */
  readonly unrepeated: number;
}

const AT_ONCE = 64;
const LONGEST = 64;

export async function ask(folder: string, questions: readonly Asked[]): Promise<Answered[]> {
  const kernel = await createKernel({ presets: [inference], model: folder });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source: folder });
    const generator = kernel.resolve(GENERATOR);
    const answered: Answered[] = [];
    for (let start = 0; start < questions.length; start += AT_ONCE) {
      const batch = questions.slice(start, start + AT_ONCE).map(async (asked) => {
        const prompt = [{ role: 'user' as const, content: asked.question }];
        const options = { maxNewTokens: LONGEST, doSample: false };
        const [result] = await generator.inference({ model, prompt, options });
        const ended = result!.finishReason === 'stop';
        return { ...asked, text: result!.text.trim(), ended };
      });
      answered.push(...(await Promise.all(batch)));
    }
    return answered;
  } finally {
    await kernel.close();
  }
}

export function score(answers: readonly Answered[]): Score {
  const part = (is: (answer: Answered) => boolean): number =>
    answers.filter(is).length / answers.length;
  return {
    questions: answers.length,
    exact: part(({ text, answer }) => text === answer),
    ended: part(({ ended }) => ended),
    unrepeated: part(({ text }) => !repeatsFourWords(text)),
  };
}

function repeatsFourWords(text: string): boolean {
  const words = text.split(/\s+/);
  const grams = words.slice(3).map((_, start) => words.slice(start, start + 4).join(' '));
  return new Set(grams).size < grams.length;
}
