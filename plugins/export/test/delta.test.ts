// Delta weights: make and apply give the tuned model back bit for bit, and a wrong base or a
// damaged delta is noticed.
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readSafetensors, writeSafetensors, type TensorToWrite } from '@lmflow/sdk/formats';
import { failure, modelFolder, scratch, withKernel } from './folders.ts';

/** A llama whose numbers were changed by `change`. */
async function tuned(change: (number: number, index: number) => number): Promise<string> {
  const folder = modelFolder('llama');
  const file = join(folder, 'model.safetensors');
  const tensors = await readSafetensors(file);
  await writeSafetensors(
    file,
    [...tensors].map(([name, { shape, data }]): [string, TensorToWrite] => [
      name,
      { shape, data: data.map(change) },
    ]),
  );
  return folder;
}

const near = (number: number, index: number): number => number * (1 + 0.01 * Math.sin(index));
/**
 * Unlike the base, and sometimes tiny, zero or minus zero, where base + difference cannot be exact
 * in float32.
 */
const far = (_: number, index: number): number =>
  index % 7 === 0 ? -0 : index % 5 === 0 ? 1e-12 * Math.cos(index) : Math.cos(index);

async function run(
  positionals: readonly string[],
  options: Record<string, unknown> = {},
): Promise<{
  readonly folder: string;
  readonly result: Record<string, unknown>;
  readonly warnings: readonly string[];
}> {
  const folder = join(scratch('delta'), 'out');
  return withKernel({ outputDir: folder }, async (kernel, log) => {
    const { result } = await kernel.run('delta', { positionals, options });
    return { folder, result: { ...result }, warnings: log.texts('warn') };
  });
}
const fails = (positionals: readonly string[]): Promise<{ code: string; message: string }> =>
  failure(run(positionals));
const weights = (folder: string): Buffer => readFileSync(join(folder, 'model.safetensors'));

for (const [kind, change] of [
  ['near', near],
  ['far', far],
] as const) {
  test(`a model ${kind} to its base comes back exactly`, async () => {
    const [base, other] = [modelFolder('llama'), await tuned(change)];
    const made = await run(['make', base, other]);
    assert.is(
      existsSync(join(made.folder, 'delta_exact.safetensors')),
      (made.result['corrections'] as number) > 0,
    );
    if (kind === 'far') assert.ok((made.result['corrections'] as number) > 100);
    const [from, to, difference] = await Promise.all(
      [base, other, made.folder].map((folder) =>
        readSafetensors(join(folder, 'model.safetensors')),
      ),
    );
    const name = 'model.layers.0.self_attn.q_proj.weight';
    assert.is(
      difference!.get(name)!.data[3],
      Math.fround(to!.get(name)!.data[3]! - from!.get(name)!.data[3]!),
    );
    const applied = await run(['apply', base, made.folder]);
    assert.equal(applied.result['checked'], true);
    assert.equal(applied.warnings, []);
    assert.ok(weights(applied.folder).equals(weights(other)));
    assert.ok(existsSync(join(applied.folder, 'tokenizer.json')));
    assert.not.ok(existsSync(join(applied.folder, 'delta.json')));
  });
}

test('sharded, and from a base in bfloat16', async () => {
  const [base, other] = [modelFolder('llama-bf16'), modelFolder('llama')];
  const made = await run(['make', base, other], { maxShardSize: '20KB' });
  assert.ok(existsSync(join(made.folder, 'model.safetensors.index.json')));
  const applied = await run(['apply', base, made.folder]);
  const [found, expected] = await Promise.all(
    [applied.folder, other].map((folder) => readSafetensors(join(folder, 'model.safetensors'))),
  );
  for (const [name, { data }] of expected!) assert.equal(found!.get(name)!.data, data, name);
});

test('another base, a damaged delta and other shapes are noticed; a delta without checksums is told', async () => {
  const [base, other] = [modelFolder('llama'), await tuned(near)];
  const { folder } = await run(['make', base, other]);
  assert.is((await fails(['apply', other, folder])).code, 'LMFLOW_DELTA_OTHER_BASE');

  const damaged = scratch('damaged');
  cpSync(folder, damaged, { recursive: true });
  const bytes = weights(damaged);
  bytes[bytes.length - 2]! ^= 1;
  writeFileSync(join(damaged, 'model.safetensors'), bytes);
  const { code, message } = await fails(['apply', base, damaged]);
  assert.is(code, 'LMFLOW_DELTA_DAMAGED');
  assert.match(message, 'model.norm.weight');

  const mismatch = await fails(['make', modelFolder('qwen3'), other]);
  assert.is(mismatch.code, 'LMFLOW_DELTA_MISMATCH');
  writeFileSync(join(damaged, 'delta.json'), '{"format":"lmflow-delta"}');
  assert.is((await fails(['apply', base, damaged])).code, 'LMFLOW_DELTA_INVALID');
  rmSync(join(folder, 'delta.json'));
  const plain = await run(['apply', base, folder]);
  assert.is(plain.result['checked'], false);
  assert.match(plain.warnings[0]!, 'no delta.json');
  assert.is((await fails(['mix', base, other])).code, 'LMFLOW_DELTA_USAGE');
});

test.run();
