// Our side of the decoding benchmark: one round of generation for each line {"command":"step"} on
// stdin, through the product's generator.
// Usage: decode-ours.ts MODEL float|8|4|BITS:BLOCK THREADS
import { createInterface } from 'node:readline';
import { createKernel } from 'lmflow';
import { GENERATOR, MODELS } from '@lmflow/sdk';
import inference from '@lmflow/preset-inference';
import { NEW_TOKENS, READ_TOKENS, promptOf, type DecodeReport } from './decode.ts';

const started = performance.now();
const [source = '', bits = 'float', threads = '2', rows = '1'] = process.argv.slice(2);
const [size, block] = bits.split(':').map(Number);
const kernel = await createKernel({
  presets: [inference],
  model: source,
  engineOnnx: { threads: Number(threads) },
  ...(bits === 'float'
    ? {}
    : { quantize: { bits: size as 4 | 8, ...(block === undefined ? {} : { blockSize: block }) } }),
});
const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'inference', source });
const generator = kernel.resolve(GENERATOR);
const say = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

/** Seconds for an answer of so many tokens to each of some prompts. */
async function timed(length: number, count: number): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: Number(rows) }, (_, row) =>
      generator.inference({
        model,
        prompt: promptOf(length, row),
        options: { maxNewTokens: count, eosTokenId: [] },
      }),
    ),
  );
  return (performance.now() - start) / 1000;
}

await timed(8, 2);
say({ ready: true, load_seconds: (performance.now() - started) / 1000, trainable: 0 });
for await (const line of createInterface({ input: process.stdin })) {
  if ((JSON.parse(line) as { command: string }).command !== 'step') break;
  const read = await timed(READ_TOKENS, 1);
  const first = await timed(8, 1);
  const whole = await timed(8, NEW_TOKENS + 1);
  const report: DecodeReport = {
    seconds: whole - first,
    prefill_seconds: read,
    rss_bytes: process.memoryUsage().rss,
    peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
  };
  say(report);
}
await kernel.close();
process.exit(0);
