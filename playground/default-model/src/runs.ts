// The public entry `@lmflow/playground-default-model/runs`: trains, measures and asks small models, for
// the other projects here. Each is a kernel of its own, as for a command.
import { PassThrough } from 'node:stream';
import { createKernel } from 'lmflow';
import { GENERATOR, MODELS, type UserConfig } from '@lmflow/sdk';
import inference from '@lmflow/preset-inference';

/** A model, or one with an adapter. */
export interface Tuned {
  readonly model: string;
  readonly adapter?: string | undefined;
}

export interface Measure {
  readonly metric: 'perplexity' | 'accuracy' | 'rouge' | 'statistics';
  /** A data set, whose answers are right. */
  readonly dataset: string;
  /** For `accuracy`: how answers are read. */
  readonly answerType?: string;
  readonly maxNewTokens?: number;
}

export interface Answer {
  readonly text: string;
  /** It ended by itself. */
  readonly ended: boolean;
}

const AT_ONCE = 64;

/** `lmflow finetune`. */
export async function train(config: UserConfig, flags: readonly string[] = []): Promise<void> {
  const kernel = await createKernel(config, { flags: [...flags] });
  try {
    await kernel.run('finetune');
  } finally {
    await kernel.close();
  }
}

/** `lmflow evaluate --metric`: figures by name. */
export async function measure(
  { model, adapter }: Tuned,
  { dataset, ...options }: Measure,
): Promise<Readonly<Record<string, number>>> {
  const kernel = await createKernel({ ...opened(model, adapter), dataset });
  try {
    // the figures go into a table of the caller's
    const output = new PassThrough().resume();
    const { result } = await kernel.run('evaluate', { options, output });
    const entries = Object.entries(result.tasks[0]!.metrics);
    return Object.fromEntries(entries.map(([name, { value }]) => [name, value]));
  } finally {
    await kernel.close();
  }
}

/** Greedy answers to questions, each a conversation of its own; many are decoded together. */
export async function ask(
  { model, adapter }: Tuned,
  questions: readonly string[],
  maxNewTokens = 60,
): Promise<Answer[]> {
  const kernel = await createKernel(opened(model, adapter));
  try {
    const loaded = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source: model });
    const generator = kernel.resolve(GENERATOR);
    const answerTo = async (content: string): Promise<Answer> => {
      const [answer] = await generator.inference({
        model: loaded,
        prompt: [{ role: 'user', content }],
        options: { maxNewTokens, doSample: false },
      });
      return { text: answer!.text.trim(), ended: answer!.finishReason === 'stop' };
    };
    const answers: Answer[] = [];
    for (let start = 0; start < questions.length; start += AT_ONCE) {
      const some = questions.slice(start, start + AT_ONCE);
      answers.push(...(await Promise.all(some.map(answerTo))));
    }
    return answers;
  } finally {
    await kernel.close();
  }
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function opened(model: string, adapter: string | undefined): UserConfig {
  return { presets: [inference], model, lora: adapter === undefined ? {} : { adapter } };
}
