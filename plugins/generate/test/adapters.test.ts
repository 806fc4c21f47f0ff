// Adapters by name on one model: each gives PEFT's probabilities, all at the same time; adapters of
// one shape share programs; the commands' flag.
import { cpSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { captureLog, createTestKernel } from 'lmflow/testing';
import {
  ENGINE,
  GENERATOR,
  MODELS,
  type Engine,
  type TextGenerator,
  type TextResult,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { readSafetensors, writeSafetensors } from '@lmflow/sdk/formats';
import inference from '@lmflow/preset-inference';
import { runChat } from '../src/commands/chat.ts';
import { familyFolder } from './support.ts';

const ADAPTERS = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'adapters');
const FOLDER = join(ADAPTERS, 'llama');
const kinds = readdirSync(FOLDER);
const source = familyFolder('llama');

interface Loaded {
  readonly generator: TextGenerator;
  readonly model: Model;
  readonly engine: Engine;
}

async function withAdapters(
  lora: Record<string, unknown>,
  work: (loaded: Loaded) => Promise<void>,
  folder = source,
): Promise<void> {
  const { kernel } = await createTestKernel({ presets: [inference], config: { lora } });
  try {
    await work({
      generator: kernel.resolve(GENERATOR),
      model: await kernel.resolve(MODELS).load({
        role: 'policy',
        purpose: 'inference',
        source: folder,
      }),
      engine: kernel.resolve(ENGINE),
    });
  } finally {
    await kernel.close();
  }
}

/** An adapter of the same shape with other numbers, and a chat template of its own. */
async function sibling(kind: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-adapter-'));
  cpSync(join(FOLDER, kind), folder, { recursive: true });
  const file = join(folder, 'adapter_model.safetensors');
  const tensors = await readSafetensors(file);
  await writeSafetensors(
    file,
    [...tensors].map(
      ([name, { shape, data }]) =>
        [name, { shape, data: data.map((number, index) => Math.sin(index) / 2 + number) }] as const,
    ),
  );
  writeFileSync(
    join(folder, 'chat_template.jinja'),
    '{% for m in messages %}t7 {{ m.content }}{% endfor %}',
  );
  return folder;
}

const ask = (
  generator: TextGenerator,
  model: Model,
  prompt: readonly number[],
  maxNewTokens: number,
  adapter?: string,
): Promise<TextResult> =>
  generator
    .inference({
      model,
      prompt: Int32Array.from(prompt),
      options: { maxNewTokens, eosTokenId: [], logprobs: 96 },
      ...(adapter === undefined ? {} : { adapter }),
    })
    .then(([result]) => result!);

const named = Object.fromEntries(kinds.map((kind) => [kind, join(FOLDER, kind)]));

/** Every adapter of a family by name: the next token has the log-probabilities of PEFT. */
const asPeft = (family: string, lora: Record<string, unknown> = {}): Promise<void> => {
  const folder = join(ADAPTERS, family);
  const all = readdirSync(folder);
  const adapters = Object.fromEntries(all.map((kind) => [kind, join(folder, kind)]));
  const work = async ({ generator, model }: Loaded): Promise<void> => {
    assert.equal([...model.adapters!.keys()], all);
    await Promise.all(
      all.map(async (kind) => {
        const reference = await readSafetensors(join(folder, kind, 'reference.safetensors'));
        const [ids, mask, logits] = ['input_ids', 'attention_mask', 'logits'].map((name) =>
          reference.get(name)!,
        );
        const [rows, length] = ids!.shape as [number, number];
        for (let row = 0; row < rows; row++) {
          const count = mask!.data
            .subarray(row * length, (row + 1) * length)
            .reduce((sum, one) => sum + one, 0);
          const at = (row * length + count - 1) * 96;
          const wanted = logits!.data.subarray(at, at + 96);
          const total = Math.log(wanted.reduce((sum, logit) => sum + Math.exp(logit), 0));
          const {
            tokens: [token],
          } = await ask(
            generator,
            model,
            [...ids!.data.subarray(row * length, row * length + count)],
            1,
            kind,
          );
          for (const { id, logprob } of token!.top!) {
            assert.ok(
              Math.abs(logprob - (wanted[id]! - total)) < 1e-4,
              `${kind} row ${row} token ${id}: ${logprob}, ${wanted[id]! - total}`,
            );
          }
        }
      }),
    );
  };
  return withAdapters({ adapters, ...lora }, work, familyFolder(family));
};

test('every adapter of PEFT by name: the next token has the log-probabilities of PEFT', () =>
  asPeft('llama'));

test('adapters that give a tied head its own weight beside others that do not, and an unnamed one', () =>
  asPeft('llama-tied', { adapter: join(ADAPTERS, 'llama-tied/saved-head') }));

test('decoded at the same time, each sequence is what it is where its adapter is the only one', async () => {
  const prompts = [[5, 9, 11], [40], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9]];
  const alone = new Map<string | undefined, number[][]>();
  for (const kind of [undefined, ...kinds]) {
    await withAdapters(
      kind === undefined ? {} : { adapter: named[kind] },
      async ({ generator, model }) => {
        const results: number[][] = [];
        for (const prompt of prompts) {
          results.push([...(await ask(generator, model, prompt, 24)).ids]);
        }
        alone.set(kind, results);
      },
    );
  }
  assert.ok(
    new Set([...alone.values()].map((results) => results.join())).size > kinds.length - 1,
    'the adapters differ',
  );
  // the unnamed adapter and the named ones beside each other too
  await withAdapters({ adapter: named['plain'], adapters: named }, async ({ generator, model }) => {
    const names = [undefined, ...kinds];
    const together = await Promise.all(
      names.flatMap((name) =>
        prompts.map(
          async (prompt, index) =>
            [name, index, [...(await ask(generator, model, prompt, 24, name)).ids]] as const,
        ),
      ),
    );
    for (const [name, index, ids] of together) {
      assert.equal(ids, alone.get(name ?? 'plain')![index], `${name ?? 'the unnamed'} ${index}`);
    }
  });
});

test('adapters of one shape share programs, and have chat templates of their own', async () => {
  const adapters = [`poet=${join(FOLDER, 'plain')}`, `chef=${await sibling('plain')}`];
  await withAdapters({ adapters }, async ({ generator, model, engine }) => {
    let compiled = 0;
    const compile = engine.compile.bind(engine);
    engine.compile = (graph, options) => {
      compiled += 1;
      return compile(graph, options);
    };
    const poet = await ask(generator, model, [5, 9], 6, 'poet');
    assert.ok(compiled > 0);
    const before = compiled;
    const chef = await ask(generator, model, [5, 9], 6, 'chef');
    assert.is(compiled, before, 'nothing is compiled for the second one');
    assert.not.equal(chef.ids, poet.ids);
    const messages = [{ role: 'user', content: 't3' }];
    assert.equal(
      [...(await generator.encodePrompt({ model, adapter: 'chef', prompt: messages }))],
      [7, 3],
    );
    const missing: unknown = await generator
      .encodePrompt({ model, adapter: 'poet', prompt: messages })
      .catch((error: unknown) => error);
    assert.is((missing as { code: string }).code, 'LMFLOW_TEMPLATE_MISSING');
    const unknown = await ask(generator, model, [5], 1, 'cook').catch(
      (error: { code: string; hint: string }) => error,
    );
    assert.equal(
      [(unknown as { code: string }).code, (unknown as { hint: string }).hint],
      ['LMFLOW_GENERATE_ADAPTER_UNKNOWN', 'Use one of poet, chef.'],
    );
  });
});

test('chat: /adapter changes who answers, with its own template', async () => {
  await withAdapters(
    { adapters: { poet: join(FOLDER, 'plain'), chef: await sibling('plain') } },
    async ({ generator, model }) => {
      model.tokenizer.chatTemplate = '{{ messages[0].content }}';
      const asked: (readonly [string | undefined, number[]])[] = [];
      const watching: TextGenerator = {
        defaults: (view) => generator.defaults(view),
        inference: (request) => generator.inference(request),
        encodePrompt: (request) => generator.encodePrompt(request),
        async *streamInference(request) {
          asked.push([request.adapter, [...(await generator.encodePrompt(request))]]);
          yield* generator.streamInference(request);
        },
      };
      const lines = [
        't5',
        '/reset',
        '/adapter chef',
        't6',
        '/reset',
        '/adapter nobody',
        '/adapter',
        't8',
      ];
      const log = captureLog();
      await runChat({
        generator: watching,
        model,
        log,
        adapter: 'poet',
        system: undefined,
        contextLength: 32,
        options: { maxNewTokens: 2 },
        input: Readable.from(lines.map((line) => `${line}\n`)),
        output: new PassThrough(),
        signal: new AbortController().signal,
      });
      assert.equal(asked, [
        ['poet', [5]],
        ['chef', [7, 6]],
        [undefined, [8]],
      ]);
      assert.match(log.texts('error').join(), /no adapter "nobody"; its adapters: poet, chef/);
    },
  );
});

test("chatTemplate, by name: stronger than the model's own and an adapter's", async () => {
  const { kernel } = await createTestKernel({
    presets: [inference],
    flags: [
      '--model',
      source,
      '--lora-adapters',
      `poet=${join(FOLDER, 'plain')},chef=${await sibling('plain')}`,
      '--chat-template',
      'chatml',
    ],
  });
  try {
    const { tokenizer, adapters } = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source });
    for (const used of [
      tokenizer,
      adapters!.get('poet')!.tokenizer,
      adapters!.get('chef')!.tokenizer,
    ]) {
      assert.is(used.chatTemplateOrigin, 'chatml');
      assert.match(
        used.render([{ role: 'user', content: 'Hi' }], { addGenerationPrompt: true }),
        '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant',
      );
    }
  } finally {
    await kernel.close();
  }
});

test("chatTemplate: tokenizer: the checkpoint's, in place of an adapter's; an error where it has none", async () => {
  const model = mkdtempSync(join(tmpdir(), 'lmflow-own-'));
  cpSync(source, model, { recursive: true });
  const poet = await sibling('plain');
  const load = async (): Promise<string> => {
    const { kernel } = await createTestKernel({
      presets: [inference],
      flags: ['--model', model, '--lora-adapters', `poet=${poet}`, '--chat-template', 'tokenizer'],
    });
    try {
      return (
        await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'inference', source: model })
      )
        .adapters!.get('poet')!
        .tokenizer.render([{ role: 'user', content: 'Hi' }]);
    } finally {
      await kernel.close();
    }
  };
  assert.is(
    await load().then(
      () => undefined,
      (error: unknown) => (error as { code: string }).code,
    ),
    'LMFLOW_DATASET_TEMPLATE_MISSING',
  );
  writeFileSync(join(model, 'chat_template.jinja'), 'own: {{ messages[0].content }}');
  assert.is(await load(), 'own: Hi');
});

test('flags of training data are refused, with the flag that was meant', async () => {
  for (const [flag, meant] of [
    ['--truncation', /--generate-truncation/],
    ['--packing', /maxBatchSize/],
    ['--block-size', /--generate-context-length/],
  ] as const) {
    const { kernel } = await createTestKernel({ presets: [inference], config: { model: source } });
    const options = {
      [flag.slice(2).replace(/-(.)/, (_, letter: string) => letter.toUpperCase())]: true,
    };
    const error = await kernel.run('generate', { options, positionals: ['t5'] }).then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string },
    );
    await kernel.close();
    assert.is(error?.code, 'LMFLOW_OPTION_UNSUPPORTED');
    assert.match(error!.message, meant);
  }
});

test('lmflow generate --adapter', async () => {
  const chef = await sibling('plain');
  const texts: string[] = [];
  for (const adapter of [undefined, 'poet', 'chef']) {
    const { kernel } = await createTestKernel({
      presets: [inference],
      flags: ['--model', source, '--lora-adapters', `poet=${join(FOLDER, 'plain')},chef=${chef}`],
    });
    const output = join(mkdtempSync(join(tmpdir(), 'lmflow-out-')), 'text');
    const { result } = await kernel.run('generate', {
      positionals: ['t5 t9'],
      options: {
        output,
        maxNewTokens: 12,
        eosTokenId: [],
        ...(adapter === undefined ? {} : { adapter }),
      },
    });
    texts.push(result[0]![0]!.text);
    await kernel.close();
  }
  assert.is(new Set(texts).size, 3, texts.join('\n'));
});

test.run();
