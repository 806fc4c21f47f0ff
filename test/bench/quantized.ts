// Training steps with frozen linears in 4 bits and in int8 beside plain LoRA: tokens/s in turns,
// peak memory, bytes of the linears.
// Usage: node --conditions=lmflow-source --import tsx test/bench/quantized.ts MODEL [LENGTH
// [ROUNDS]]
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { Side, type StepReport } from './side.ts';

const [model = '', length = '512', rounds = '5'] = process.argv.slice(2);
const METHODS = ['lora', 'qlora', 'int8'] as const;
const WARM_UP = 2;

const sides = [];
for (const method of METHODS) {
  const side = new Side(process.execPath, [
    '--conditions=lmflow-source',
    '--import',
    'tsx',
    join(import.meta.dirname, 'ours.ts'),
    model,
    method,
    length,
  ]);
  await side.ready();
  sides.push({ method, side, steps: [] as StepReport[] });
}
for (let round = 0; round < Number(rounds) + WARM_UP; round++) {
  for (const { side, steps } of sides) steps.push(await side.step());
}
const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const [plain] = sides;
for (const { method, side, steps } of sides) {
  const timed = steps.slice(WARM_UP);
  const ratio = median(
    timed.map(({ seconds }, round) => plain!.steps[round + WARM_UP]!.seconds / seconds),
  );
  console.log(
    `${method.padEnd(6)} ${(Number(length) / median(timed.map(({ seconds }) => seconds))).toFixed(0).padStart(5)} tokens/s  ${ratio.toFixed(2)}x LoRA's (median of ${timed.length} rounds)  ` +
      `peak ${(timed.at(-1)!.peak_rss_bytes / 1e9).toFixed(2)} GB  loss ${steps[0]!.loss.toFixed(4)}`,
  );
  side.close();
}
const {
  hidden_size: hidden,
  intermediate_size: inner,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: shared,
} = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')) as Record<string, number>;
const numbers =
  layers! *
  (2 * hidden! * hidden! + (2 * hidden! * hidden! * shared!) / heads! + 3 * hidden! * inner!);
console.log(
  `linears of the blocks: float32 ${((4 * numbers) / 1e6).toFixed(0)} MB, 4 bits ${((numbers / 2 + numbers / 16) / 1e6).toFixed(0)} MB (${((1 / 2 + 1 / 16) / 4).toFixed(4)}x), int8 both ways ${((2 * numbers) / 1e6).toFixed(0)} MB`,
);
