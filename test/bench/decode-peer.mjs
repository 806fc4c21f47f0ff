// What both peers of the decoding benchmark share: the prompt, and the protocol of decode-ours.ts.
import { createInterface } from 'node:readline';

/** promptOf of decode.ts. */
export const prompt = (length) =>
  Array.from({ length }, (_, place) => 300 + ((place * 7919) % 40000));

/**
 * Answers each line {"command":"step"} with one round; `timed(length, count)` gives the seconds for
 * `count` tokens after a prompt of `length`.
 */
export async function answerRounds(timed) {
  const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  await timed(8, 2);
  say({ ready: true, load_seconds: performance.now() / 1000, trainable: 0 });
  for await (const line of createInterface({ input: process.stdin })) {
    if (JSON.parse(line).command !== 'step') break;
    const read = await timed(256, 1);
    const first = await timed(8, 1);
    const whole = await timed(8, 201);
    say({
      seconds: whole - first,
      prefill_seconds: read,
      rss_bytes: process.memoryUsage().rss,
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    });
  }
  process.exit(0);
}
