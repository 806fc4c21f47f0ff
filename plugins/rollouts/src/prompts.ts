// The prompts of the data: of records without answers, or what stands before the answers of others;
// rendered and encoded as they are read before an answer.
import { createHash } from 'node:crypto';
import type { TemplateChoice } from '@lmflow/plugin-chat-templates';
import type { DatasetLoader } from '@lmflow/plugin-datasets';
import type {
  AnswerPrompt,
  Dataset,
  DatasetRecord,
  Logger,
  PromptRequest,
  PromptSet,
  RecordOrigin,
  RolloutPrompt,
  TextGenerator,
} from '@lmflow/sdk';
import { noPrompts } from './errors.ts';

export interface PromptContext {
  readonly datasets: Pick<DatasetLoader, 'open'>;
  readonly templates: Pick<TemplateChoice, 'forTraining'>;
  readonly generator: Pick<TextGenerator, 'encodePrompt'>;
  readonly log: Logger;
}

/** Reads and encodes the prompts. Throws LMFLOW_ROLLOUTS_NO_PROMPTS. */
export async function loadPrompts(
  request: PromptRequest,
  context: PromptContext,
): Promise<PromptSet> {
  const { model, signal } = request;
  const { train, evaluation, opened } = await context.datasets.open(signal);
  const records = await promptsOf(train);
  const held = evaluation && (await promptsOf(evaluation));
  const conversations = [...records, ...(held ?? [])].some(({ prompt }) => prompt.messages);
  context.templates.forTraining(model.tokenizer, { conversations });
  const encode = (name: string, found: readonly Unread[]): Promise<Encoded> =>
    encoded(name, found, request, context);
  const [trained, measured] = [
    await encode(train.name, records),
    held && evaluation && (await encode(evaluation.name, held)),
  ];
  const { chatTemplateOrigin } = model.tokenizer;
  return {
    train: trained.prompts,
    ...(measured ? { evaluation: measured.prompts } : {}),
    fingerprint: hashOf([trained, ...(measured ? [measured] : [])]),
    description: {
      dataset: opened.train.sources,
      ...(opened.evaluation ? { evalDataset: opened.evaluation.sources } : {}),
      chatTemplate: chatTemplateOrigin ?? null,
      prompts: trained.prompts.length,
      ...(measured ? { evaluationPrompts: measured.prompts.length } : {}),
      longerPromptsLeftOut: trained.dropped + (measured?.dropped ?? 0),
    },
  };
}

type Unread = Omit<RolloutPrompt, 'ids'>;

interface Encoded {
  readonly prompts: readonly RolloutPrompt[];
  readonly dropped: number;
}

async function promptsOf(dataset: Dataset): Promise<Unread[]> {
  const prompts: Unread[] = [];
  let place = 0;
  for await (const record of dataset.records()) {
    const prompt = promptOf(record);
    const columns = record.kind === 'prompt' ? record.columns : {};
    const id = String(place++);
    if (prompt) prompts.push({ id, name: nameOf(record.origin), prompt, columns });
  }
  return prompts;
}

/** What stands before the last answer; undefined where nothing does. */
function promptOf(record: DatasetRecord): AnswerPrompt | undefined {
  switch (record.kind) {
    case 'text':
      return record.text === '' ? undefined : { prompt: record.text };
    case 'conversation': {
      const { messages, tools } = record;
      const asked = messages.at(-1)?.role === 'assistant' ? messages.slice(0, -1) : messages;
      return asked.length === 0 ? undefined : { messages: asked, ...(tools ? { tools } : {}) };
    }
    case 'completion':
      return { prompt: record.prompt };
    default:
      return record.messages
        ? { messages: record.messages, ...(record.tools ? { tools: record.tools } : {}) }
        : { prompt: record.prompt };
  }
}

function nameOf({ file, line, index }: RecordOrigin): string {
  if (line !== undefined) return `${file}, line ${line}`;
  return index === undefined ? file : `${file}, record ${index}`;
}

async function encoded(
  name: string,
  found: readonly Unread[],
  { model, maxTokens, signal }: PromptRequest,
  { generator, log }: PromptContext,
): Promise<Encoded> {
  const prompts: RolloutPrompt[] = [];
  let dropped = 0;
  for (const [index, one] of found.entries()) {
    signal?.throwIfAborted();
    const { prompt, messages, tools } = { tools: undefined, ...one.prompt };
    const ids = await generator.encodePrompt({
      model,
      prompt: messages ?? prompt,
      ...(tools ? { tools } : {}),
    });
    if (ids.length > maxTokens) dropped += 1;
    else if (ids.length > 0) prompts.push({ ...one, ids });
    log.progress(`reading prompts of ${name}: ${index + 1}/${found.length}`);
  }
  if (prompts.length === 0) throw noPrompts(name, dropped, maxTokens);
  const left = dropped === 0 ? '' : `; ${dropped} with more than ${maxTokens} tokens left out`;
  log.info(`${name}: ${prompts.length} prompts${left}`);
  return { prompts, dropped };
}

function hashOf(sets: readonly Encoded[]): string {
  const hash = createHash('sha256');
  for (const { prompts } of sets) {
    for (const { id, ids, columns } of prompts) {
      hash.update(`${id}: ${ids.join()} ${JSON.stringify(columns)}\n`);
    }
    hash.update('\n');
  }
  return hash.digest('hex');
}
