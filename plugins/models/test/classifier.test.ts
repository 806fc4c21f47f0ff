// Classifier heads: a fresh one on a language model, written as transformers does and read again.
// Numbers of transformers' own classifiers are tested where reward models are made.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Model } from '@lmflow/sdk/model';
import { readSafetensors } from '@lmflow/sdk/formats';
import { families } from '../src/families/index.ts';
import { readModel } from '../src/model.ts';
import { HuggingFaceWriter } from '../src/writer.ts';
import { editConfig, modelFolder, removeFolders, temporaryFolder } from './folders.ts';
import { rejects } from './rejects.ts';

const test = suite('classifiers');
test.after(removeFolders);

const table = new Map(families.map((family) => [family.name, family]));
const log = { warn: () => undefined } as never;

const read = (folder: string, labels?: number, seed = 1): Promise<Model> =>
  readModel(
    {
      source: folder,
      folder,
      role: 'policy',
      purpose: 'training',
      ...(labels === undefined ? {} : { classifier: { labels, seed } }),
    },
    { get: (name) => table.get(name), names: () => [...table.keys()] },
    log,
  );

for (const family of ['llama', 'llama-tied', 'gpt2'] as const) {
  test(`a fresh head on ${family} is written and read as transformers does`, async () => {
    const folder = await modelFolder(family);
    const model = await read(folder, 1);
    assert.is(model.freshHead, true);
    assert.is(model.architecture.labels, 1);
    assert.is(model.architecture.tiedEmbeddings, false);
    const head = await model.read('score.weight');
    const deviation = Math.sqrt(head.reduce((sum, x) => sum + x * x, 0) / head.length);
    assert.ok(deviation > 0.012 && deviation < 0.03, `deviation ${deviation}`);
    assert.equal(await (await read(folder, 1)).read('score.weight'), head, 'the seed decides');
    assert.not.equal(await (await read(folder, 1, 2)).read('score.weight'), head);

    const out = await temporaryFolder();
    await new HuggingFaceWriter().write(model, out);
    const config = JSON.parse(await readFile(join(out, 'config.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    const name = family === 'gpt2' ? 'GPT2' : 'Llama';
    assert.equal(config['architectures'], [`${name}ForSequenceClassification`]);
    assert.equal([config['id2label'], config['label2id']], [{ 0: 'LABEL_0' }, { LABEL_0: 0 }]);
    assert.is('num_labels' in config, false);
    assert.is(config['tie_word_embeddings'], model.config['tie_word_embeddings']);
    assert.is(config['pad_token_id'], 0, 'no text ends with <unk>');
    const tensors = await readSafetensors(join(out, 'model.safetensors'));
    assert.equal(tensors.get('score.weight')!.shape, [1, 32]);
    assert.is(tensors.has('lm_head.weight'), false);

    const again = await read(out, 1);
    assert.is(again.freshHead, undefined);
    assert.equal(await again.read('score.weight'), head);
  });
}

test('padding ends no text: EOS as padding is replaced by a token that is neither', async () => {
  const folder = await modelFolder('llama', (path) => editConfig(path, { pad_token_id: 2 }));
  assert.is((await read(folder, 1)).config['pad_token_id'], 0);
});

test('a classifier is no language model, and has the labels that it has', async () => {
  const folder = await temporaryFolder();
  await new HuggingFaceWriter().write(await read(await modelFolder('llama'), 3), folder);
  await rejects(read(folder), 'LMFLOW_MODEL_CLASSIFIER', /LlamaForSequenceClassification/);
  await rejects(read(folder, 1), 'LMFLOW_MODEL_CLASSIFIER', /has 3 labels/);
});

test.run();
