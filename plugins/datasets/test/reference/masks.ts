// Compares the assistant masks that ./masks.py wrote with ours, token by token. Run by hand:
//   node --conditions=lmflow-source --import tsx plugins/datasets/test/reference/masks.ts OUT_FOLDER
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChatMessage } from '@lmflow/sdk';
import { Encoder } from '../../src/samples/encoder.ts';
import { loadTokenizer } from '@lmflow/plugin-models';

interface Case {
  readonly template: string;
  readonly conversation: string;
  readonly source: string;
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly unknown[] | null;
  readonly ids: readonly number[];
  readonly mask: readonly number[];
}
const folder = process.argv[2]!;
const tokenizer = await loadTokenizer(folder);
const counts = new Map<string, number>();

function compare({ source, messages, tools, ids, mask }: Case): string {
  tokenizer.chatTemplate = source;
  tokenizer.chatTemplateOrigin = 'configuration';
  const encoder = new Encoder(tokenizer, { trainOnPrompt: false });
  const plan = encoder.plan({
    kind: 'conversation',
    messages,
    ...(tools && { tools }),
    origin: { file: 'masks.json', index: 0 },
  });
  const tokens = encoder.tokens(plan, tokenizer.encode(plan.text));
  if (String([...tokens.ids]) !== String(ids)) return 'other tokens';
  // the first token cannot be predicted
  const differs = mask.findIndex((value, at) => at > 0 && value !== tokens.trained[at]);
  return differs < 0 ? 'equal' : `other masks from token ${differs}`;
}

for (const each of JSON.parse(readFileSync(join(folder, 'masks.json'), 'utf8')) as Case[]) {
  let found: string;
  try {
    found = compare(each);
  } catch (error) {
    found = `refused only here: ${(error as Error).message}`;
  }
  const kind = found.split(/:| from/)[0]!;
  counts.set(kind, (counts.get(kind) ?? 0) + 1);
  if (kind !== 'equal') process.stdout.write(`${each.template}, ${each.conversation}: ${found}\n`);
}
process.stdout.write(`${JSON.stringify(Object.fromEntries(counts))}\n`);
process.exit();
