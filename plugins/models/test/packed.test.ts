// Checkpoints with weights of a few bits: the numbers are those that the Python script found, what
// does not fit is refused, and a whole model is written in floats.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  SafetensorsFile,
  readBytes,
  readSafetensors,
  writeSafetensors,
  type SafetensorsDtype,
  type TensorToWrite,
} from '@lmflow/sdk/formats';
import type { FileWeight, PackedWeight } from '@lmflow/sdk/graph';
import { HuggingFaceWriter } from '../src/writer.ts';
import {
  editConfig,
  fixtures,
  loadFolder,
  modelFolder,
  removeFolders,
  temporaryFolder,
} from './folders.ts';
import { rejects } from './rejects.ts';
import { logits } from './traces.ts';

const test = suite('packed weights');
test.after(removeFolders);

const PACKED = '../packed/llama';
const folderOf = (change?: (folder: string) => Promise<void>): Promise<string> =>
  modelFolder(PACKED, change);
const reference = await readSafetensors(join(fixtures, PACKED, 'reference.safetensors'));

test('every way of packing gives the reference its numbers; what is ignored stays float', async () => {
  const model = await loadFolder(await folderOf(), undefined, 'inference');
  const weight = (name: string): PackedWeight =>
    model.weights.get(`model.layers.0.${name}.weight`) as PackedWeight;
  const facts = ['self_attn.q_proj', 'mlp.up_proj', 'mlp.down_proj', 'self_attn.v_proj'].map(
    (name) => {
      const { kind, bits, groupSize, shape, scales, zeroPoints } = weight(name);
      return [kind, bits, groupSize, shape, scales.dtype, zeroPoints !== undefined];
    },
  );
  assert.equal(facts, [
    ['packed', 4, 16, [32, 32], 'float32', false],
    ['packed', 4, 16, [64, 32], 'bfloat16', false],
    ['packed', 4, 32, [32, 64], 'float32', true],
    ['packed', 8, 16, [16, 32], 'float32', true],
  ]);
  const head = model.weights.get('lm_head.weight') as PackedWeight;
  assert.equal([head.bits, head.groupSize], [8, 32], 'a scale a row');
  assert.is(model.weights.get('model.layers.1.self_attn.o_proj.weight')!.kind, 'file');
  const names = [...reference.keys()].filter((name) => name.startsWith('numbers.'));
  assert.is(names.length, 8);
  for (const name of names) {
    assert.equal(await model.read(name.slice('numbers.'.length)), reference.get(name)!.data, name);
  }
});

test('written whole it is a float model with the logits of the reference, and says nothing of quantization', async () => {
  const model = await loadFolder(await folderOf(), undefined, 'inference');
  const folder = await temporaryFolder();
  await new HuggingFaceWriter().write(model, folder);
  assert.not((await readFile(join(folder, 'config.json'), 'utf8')).includes('quantization_config'));
  const whole = await loadFolder(folder);
  assert.ok([...whole.weights.values()].every(({ kind }) => kind === 'file'));
  const {
    shape: [batchSize, length],
    data: ids,
  } = reference.get('input_ids')! as { shape: readonly [number, number]; data: Float32Array };
  const found = await logits(whole, { ids: [...ids], batchSize, length });
  const expected = reference.get('logits')!.data;
  assert.ok(expected.every((number, index) => Math.abs(number - found[index]!) < 1e-4));
});

test('it is for inference, and floats are asked for of the plugin', async () => {
  await rejects(
    loadFolder(await folderOf()),
    'LMFLOW_MODEL_UNSUPPORTED',
    /is quantized for inference and cannot be trained/,
  );
  const model = await loadFolder(await folderOf(), undefined, 'inference');
  await rejects(
    logits(model, { ids: [1, 2], batchSize: 1, length: 2 }),
    'LMFLOW_WEIGHT_PACKED',
    /"model\.layers\.0\.self_attn\.q_proj\.weight" in 4 bits, which only the plugin quantize reads/,
  );
});

type Groups = Record<
  string,
  { targets: string[]; weights: Record<string, unknown>; [key: string]: unknown }
>;
interface Section {
  [key: string]: unknown;
  config_groups: Groups;
  ignore: string[];
}
const section =
  (change: (section: Section) => void) =>
  async (folder: string): Promise<void> => {
    const { quantization_config: quantization } = JSON.parse(
      await readFile(join(folder, 'config.json'), 'utf8'),
    ) as { quantization_config: Section };
    change(quantization);
    await editConfig(folder, { quantization_config: quantization });
  };
const weights = (changes: Record<string, unknown>) =>
  section(({ config_groups: groups }) => {
    Object.assign(groups['group_0']!.weights, changes);
  });
/** Rewrites the tensors, with their own types. */
const tensors =
  (change: (all: Map<string, TensorToWrite>) => void) =>
  async (folder: string): Promise<void> => {
    const path = join(folder, 'model.safetensors');
    const file = await SafetensorsFile.open(path);
    const all = new Map<string, TensorToWrite>();
    for (const [name, { shape, dtype }] of file.tensors) {
      all.set(name, {
        shape,
        dtype: dtype as SafetensorsDtype,
        data: await readBytes(file.weightSource(name) as FileWeight),
      });
    }
    change(all);
    await writeSafetensors(path, all);
  };
const Q = 'model.layers.0.self_attn.q_proj.weight';

const cases: readonly {
  readonly what: string;
  readonly change: (folder: string) => Promise<void>;
  readonly code: string;
  readonly message: RegExp;
}[] = [
  {
    what: 'AWQ',
    change: section((own) => {
      own['quant_method'] = 'awq';
    }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message:
      /"quant_method": "awq" is not supported: only quantized checkpoints in the format pack-quantized/,
  },
  {
    what: 'no method',
    change: section((own) => {
      delete own['quant_method'];
    }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"quant_method": null is not supported/,
  },
  {
    what: 'int-quantized',
    change: section((own) => {
      own['format'] = 'int-quantized';
    }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"format": "int-quantized"/,
  },
  {
    what: 'another format of a group',
    change: section((own) => {
      own['format'] = 'mixed-precision';
      own.config_groups['group_1']!['format'] = 'float-quantized';
    }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /group_1: "format": "float-quantized"/,
  },
  {
    what: 'fp8',
    change: weights({ type: 'float', num_bits: 8 }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /group_0, weights: "type": "float"/,
  },
  {
    what: '3 bits',
    change: weights({ num_bits: 3 }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"num_bits": 3 is not supported.*4 or 8 bits/,
  },
  {
    what: 'a scale for the whole tensor',
    change: weights({ strategy: 'tensor', group_size: null }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"strategy": "tensor"/,
  },
  {
    what: 'columns in another order',
    change: weights({ actorder: 'group' }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"actorder": "group"/,
  },
  {
    what: 'groups of 8',
    change: weights({ group_size: 8 }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"group_size": 8 .*a multiple of 16/,
  },
  {
    what: 'groups that do not divide',
    change: weights({ group_size: 48 }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"group_size": 48 .*q_proj's 32 columns/,
  },
  {
    what: 'quantized activations',
    change: section(({ config_groups: groups }) => {
      groups['group_0']!['input_activations'] = { num_bits: 8 };
    }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"input_activations": \{"num_bits":8\}/,
  },
  {
    what: 'quantized keys and values',
    change: section((own) => {
      own['kv_cache_scheme'] = { num_bits: 8 };
    }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"kv_cache_scheme"/,
  },
  {
    what: 'sparse weights',
    change: section((own) => {
      own['sparsity_config'] = { format: 'sparse-24-bitmask' };
    }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"sparsity_config"/,
  },
  {
    what: 'no groups',
    change: section((own) => {
      delete (own as Partial<Section>).config_groups;
    }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /"config_groups" is missing/,
  },
  {
    what: 'a pattern that is none',
    change: section((own) => {
      own.ignore = ['re:('];
    }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /"ignore" is "re:\("/,
  },
  {
    what: 'a pattern that backtracks for ever',
    change: section((own) => {
      own.ignore = ['re:([a-z_.0-9]+)+!'];
    }),
    code: 'LMFLOW_EXPRESSION_TOO_SLOW',
    message: /config\.json.*ignore: the regular expression/,
  },
  {
    what: 'a pattern of a group that backtracks for ever',
    change: section((own) => {
      own.config_groups['group_0']!.targets = ['re:([a-z_.0-9]+)+!'];
    }),
    code: 'LMFLOW_EXPRESSION_TOO_SLOW',
    message: /config\.json.*targets: the regular expression/,
  },
  {
    what: 'an ignored linear that is packed',
    change: section((own) => {
      own.ignore.push('model.layers.0.self_attn.q_proj');
    }),
    code: 'LMFLOW_TENSOR_MISSING',
    message: /q_proj\.weight" \[32, 32\]/,
  },
  {
    what: 'a part that is missing',
    change: tensors((all) => {
      all.delete(`${Q}_scale`);
    }),
    code: 'LMFLOW_TENSOR_MISSING',
    message: /q_proj\.weight_scale" \[32, 2\]/,
  },
  {
    what: 'the size of another matrix',
    change: tensors((all) => {
      all.set(`${Q}_shape`, { shape: [2], dtype: 'I64', data: BigInt64Array.of(16n, 64n) });
    }),
    code: 'LMFLOW_TENSOR_SHAPE',
    message: /q_proj\.weight_shape" says \[16, 64\], config\.json makes it \[32, 32\]/,
  },
  {
    what: 'codes of another width',
    change: weights({ num_bits: 8 }),
    code: 'LMFLOW_TENSOR_SHAPE',
    message: /_proj\.weight_packed" is \[\d+, 4\], but by config\.json \[\d+, 8\]/,
  },
  {
    what: 'codes as bytes',
    change: tensors((all) => {
      const { shape } = all.get(`${Q}_packed`)!;
      all.set(`${Q}_packed`, { shape, dtype: 'F32', data: new Float32Array(128) });
    }),
    code: 'LMFLOW_TENSOR_DTYPE',
    message: /weight_packed" is stored as F32, in the format pack-quantized it is I32/,
  },
];

for (const { what, change, code, message } of cases) {
  test(`${what} is refused`, async () => {
    await rejects(loadFolder(await folderOf(change), undefined, 'inference'), code, message);
  });
}

test.run();
