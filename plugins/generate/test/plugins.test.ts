// What third parties add to decoding: logits processors (onLogits), strategies around plain decoding
// (onGenerate), and settings of requests for both.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  GENERATOR,
  MODELS,
  REQUEST_SETTINGS,
  definePlugin,
  type DecodeSession,
  type GenerationOptions,
  type LogitsContext,
  type PluginContext,
  type RequestSettings,
  type TextGenerator,
  type TextPiece,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import inference from '@lmflow/preset-inference';
import { createTestKernel } from 'lmflow/testing';
import { z } from 'zod';
import { Chooser } from '../src/sampling/chooser.ts';
import type { DecodingConfig } from '../src/decoding-config.ts';
import { familyFolder } from './support.ts';

declare module '@lmflow/sdk' {
  interface RequestSettings {
    /** Ids that an answer consists of, in this order again and again. */
    cycle?: { readonly ids: readonly number[]; readonly strict?: boolean };
  }
}

const plugin = (apply: (context: PluginContext) => void) =>
  definePlugin({ name: 'lmflow-plugin-third', version: '1.0.0', sdk: '^1.0.0', apply })();

/** A grammar of a third party: the answer repeats the ids of the request's setting. */
const grammar = plugin((context) => {
  context.contribute(REQUEST_SETTINGS, {
    name: 'cycle',
    schema: z.strictObject({
      ids: z.array(z.int().min(0)).min(1),
      strict: z.boolean().default(true),
    }),
  });
  context.hooks.onLogits.tap((logits, { ids, promptTokens, settings: { cycle } }) => {
    if (!cycle?.strict) return;
    const wanted = cycle.ids[(ids.length - promptTokens) % cycle.ids.length]!;
    logits.forEach((logit, id) => {
      logits[id] = id === wanted ? logit : -Infinity;
    });
  });
});

interface Loaded {
  readonly generator: TextGenerator;
  readonly model: Model;
}

let folder: string | undefined;

async function withPlugins(
  plugins: readonly ReturnType<typeof plugin>[],
  work: (loaded: Loaded) => Promise<void>,
): Promise<void> {
  folder ??= familyFolder('llama');
  const { kernel } = await createTestKernel({ presets: [inference], plugins });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source: folder });
    await work({ model, generator: kernel.resolve(GENERATOR) });
  } finally {
    await kernel.close();
  }
}

const prompt = Int32Array.of(5, 9);
const greedy = { maxNewTokens: 6, eosTokenId: [], doSample: false };

const answers = async (
  { generator, model }: Loaded,
  options: GenerationOptions,
  settings?: RequestSettings,
): Promise<string[]> => {
  const results = await generator.inference({
    model,
    prompt,
    options: { ...greedy, ...options },
    ...(settings ? { settings } : {}),
  });
  return results.map(({ ids }) => ids.join());
};

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error as { code: string }).code,
  );

test('a grammar holds for greedy, drawn, several answers and beams, each request its own', () =>
  withPlugins([grammar], async (loaded) => {
    const plain = await answers(loaded, {});
    const [one, two, drawn, beams, without] = await Promise.all([
      answers(loaded, {}, { cycle: { ids: [7, 8] } }),
      answers(loaded, { maxNewTokens: 4 }, { cycle: { ids: [3] } }),
      answers(
        loaded,
        { doSample: true, temperature: 2, numReturnSequences: 3, seed: 1 },
        { cycle: { ids: [7, 8] } },
      ),
      answers(loaded, { numBeams: 3, numReturnSequences: 1 }, { cycle: { ids: [1, 2, 3] } }),
      answers(loaded, {}),
    ]);
    assert.equal(one, ['7,8,7,8,7,8']);
    assert.equal(two, ['3,3,3,3']);
    assert.equal(drawn, ['7,8,7,8,7,8', '7,8,7,8,7,8', '7,8,7,8,7,8']);
    assert.equal(beams, ['1,2,3,1,2,3']);
    assert.equal(without, plain);
  }));

test('a grammar holds in a stream', () =>
  withPlugins([grammar], async ({ generator, model }) => {
    const ids: number[] = [];
    for await (const { tokens } of generator.streamInference({
      model,
      prompt,
      options: greedy,
      settings: { cycle: { ids: [7, 8] } },
    })) {
      ids.push(...tokens.map(({ id }) => id));
    }
    assert.equal(ids, [7, 8, 7, 8, 7, 8]);
  }));

test('settings are checked by the schema of their plugin, and completed', () =>
  withPlugins([grammar], async (loaded) => {
    const ask = (settings: object): Promise<string> => codeOf(answers(loaded, {}, settings));
    assert.is(await ask({ cycle: { ids: ['x'] } }), 'LMFLOW_GENERATE_SETTING_INVALID');
    assert.is(await ask({ cycel: { ids: [1] } }), 'LMFLOW_GENERATE_SETTING_UNKNOWN');
    assert.is(await ask({ cycle: undefined }), 'none');
    try {
      await answers(loaded, {}, { cycle: { ids: [1, -1] } });
      assert.unreachable();
    } catch (error) {
      assert.match((error as Error).message, /^the request setting cycle\.ids\[1\] is not valid: /);
    }
  }));

test('listeners see every sequence once per step, after penalties and before temperature', async () => {
  const seen: LogitsContext[] = [];
  const rising = new Map<LogitsContext, Float64Array>();
  const watcher = plugin(({ hooks }) => {
    hooks.onLogits.tap((logits, context) => {
      seen.push({ ...context, ids: [...context.ids] });
      rising.set(seen.at(-1)!, Float64Array.from(logits));
    });
  });
  await withPlugins([watcher], async (loaded) => {
    const [first] = await answers(loaded, { maxNewTokens: 3 });
    assert.equal(
      seen.map(({ ids }) => ids.slice(2).join()),
      ['', first!.split(',')[0], first!.split(',').slice(0, 2).join()],
    );
    const [bare] = [...rising.values()];
    seen.length = 0;
    rising.clear();
    await answers(loaded, {
      doSample: true,
      temperature: 0.1,
      topK: 1,
      numReturnSequences: 2,
      logitBias: { 4: -3 },
      maxNewTokens: 1,
    });
    assert.equal(seen.map(({ index }) => index).sort(), [0, 1]);
    assert.ok(
      seen.every(({ promptTokens, model }) => promptTokens === 2 && model === loaded.model),
    );
    const [biased] = [...rising.values()];
    const changed = [...biased!].flatMap((logit, id) => (logit === bare![id] ? [] : [id]));
    assert.equal(changed, [4]);
    assert.ok(Math.abs(biased![4]! + 3 - bare![4]!) < 1e-12);
    assert.is(seen[0]!.settings, seen[1]!.settings);
  });
});

test('a listener that fails, or leaves no token, ends its own request alone', async () => {
  const failing = plugin((context) => {
    context.contribute(REQUEST_SETTINGS, { name: 'cycle', schema: z.unknown() });
    context.hooks.onLogits.tap((logits, { ids, settings }) => {
      if (settings.cycle === undefined || ids.length < 4) return;
      if (settings.cycle.strict) throw new Error('no rule fits');
      logits.fill(-Infinity);
    });
  });
  await withPlugins([failing], async (loaded) => {
    const cycle = { ids: [] };
    const [failed, empty, beams, well] = await Promise.all([
      codeOf(answers(loaded, {}, { cycle: { ...cycle, strict: true } })),
      codeOf(answers(loaded, { doSample: true, numReturnSequences: 2 }, { cycle })),
      codeOf(answers(loaded, { numBeams: 2 }, { cycle })),
      answers(loaded, {}),
    ]);
    assert.is(failed, 'LMFLOW_HOOK_FAILED');
    assert.is(empty, 'LMFLOW_GENERATE_NO_TOKEN');
    assert.is(beams, 'LMFLOW_GENERATE_NO_TOKEN');
    assert.is(well[0]!.split(',').length, 6);
    assert.equal(await answers(loaded, {}), well);
  });
});

/** A draw among all tokens. */
const drawing = {
  doSample: true,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  noRepeatNgramSize: 0,
  minNewTokens: 0,
  logitBias: new Map(),
  eosTokenId: [],
  seed: 1,
} as unknown as DecodingConfig;

test('probabilities ahead ask plugins about the sequence as it would be', () => {
  const asked: string[] = [];
  const chooser = new Chooser(drawing, prompt, 0, {
    settings: {},
    process: (logits, ids) => {
      asked.push(ids.join());
      logits[ids.at(-1)!] = -Infinity;
    },
  });
  const flat = new Float32Array(12);
  assert.is(chooser.probabilities(flat)[9], 0);
  const ahead = chooser.probabilities(flat, [2, 3]);
  assert.equal(asked, ['5,9', '5,9,2,3']);
  assert.equal([ahead[3], Math.abs(ahead[9]! - 1 / 11) < 1e-12], [0, true]);
});

/** Wraps a session of another strategy: counts its steps, and ends answers after `most` tokens. */
function counting(
  inner: DecodeSession,
  steps: { count: number; settings: RequestSettings[] },
): DecodeSession {
  return {
    add(ids, chooser) {
      steps.settings.push(chooser.settings);
      return inner.add(ids, {
        settings: chooser.settings,
        get ended() {
          return chooser.ended;
        },
        probabilities: (logits, ahead) => chooser.probabilities(logits, ahead),
        take: (token, logits) => {
          chooser.take(token, logits);
        },
        // never the likeliest token: the strategy changes what is chosen
        choose(logits) {
          const probabilities = chooser.probabilities(logits);
          const likeliest = probabilities.indexOf(Math.max(...probabilities));
          const token = (likeliest + 1) % probabilities.length;
          chooser.take(token, logits);
          return token;
        },
      });
    },
    step() {
      steps.count += 1;
      return inner.step();
    },
    remove: (handle) => {
      inner.remove(handle);
    },
    dispose: () => inner.dispose(),
  };
}

test('a strategy wraps plain decoding: it counts steps and changes tokens, also in a stream', async () => {
  const steps = { count: 0, settings: [] as RequestSettings[] };
  const strategy = plugin((context) => {
    context.contribute(REQUEST_SETTINGS, { name: 'cycle', schema: z.unknown() });
    context.hooks.onGenerate.tap(async (_request, next) => {
      const session = await next();
      return session && counting(session, steps);
    });
  });
  let plain: string[] = [];
  await withPlugins([], async (loaded) => {
    plain = await answers(loaded, { maxNewTokens: 1 });
  });
  await withPlugins([strategy], async (loaded) => {
    const cycle = { ids: [1] };
    const [changed] = await answers(loaded, { maxNewTokens: 5 }, { cycle });
    assert.is(Number(changed!.split(',')[0]), (Number(plain[0]) + 1) % 96);
    assert.is(steps.count, 5);
    assert.equal(steps.settings, [{ cycle }]);
    const pieces: TextPiece[] = [];
    for await (const piece of loaded.generator.streamInference({
      model: loaded.model,
      prompt,
      options: { ...greedy, maxNewTokens: 5 },
    })) {
      pieces.push(piece);
    }
    assert.is(pieces.flatMap(({ tokens }) => tokens.map(({ id }) => id)).join(), changed);
    assert.is(pieces.at(-1)!.finishReason, 'length');
    assert.is(steps.count, 10);
  });
});

test('who answers first decides, and the plain session is never opened', async () => {
  const spoken = [4, 2];
  const own = plugin(({ hooks }) => {
    hooks.onGenerate.tap(() => {
      const choosers = new Map<number, Parameters<DecodeSession['add']>[1]>();
      return {
        add: (_prompt, chooser) => {
          choosers.set(choosers.size, chooser);
          return choosers.size - 1;
        },
        step: async () =>
          new Map(
            [...choosers].map(([handle, chooser]) => {
              for (const id of spoken) chooser.take(id, new Float32Array(96));
              return [handle, spoken];
            }),
          ),
        remove: (handle) => choosers.delete(handle),
        dispose: async () => undefined,
      };
    });
  });
  await withPlugins([own], async (loaded) => {
    assert.equal(await answers(loaded, { maxNewTokens: 4 }), ['4,2,4,2']);
  });
});

test.run();
