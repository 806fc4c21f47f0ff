// What is drawn: the distribution after temperature, top-k, top-p and min-p (against one computed
// here in another way), seeds, scores.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GenerationOptions } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { Chooser } from '../src/sampling/chooser.ts';
import { topK, topP } from '../src/sampling/filters.ts';
import { configuredOptions, decideConfig } from '../src/decoding-config.ts';
import { familyFolder, withModel } from './support.ts';

const logits = Float32Array.from(
  { length: 60 },
  (_, id) => 3 * Math.sin(id * 1.7) + ((id * 7919) % 13) / 5,
);
const model = { architecture: { vocabularySize: 60 }, eosIds: [] } as unknown as Model;
const configOf = (options: GenerationOptions): ReturnType<typeof decideConfig>['config'] =>
  decideConfig(model, 1, options, {}).config;

/** Straight from the definitions: sort, cut, normalise. */
function expected({
  temperature = 1,
  topK: k = 0,
  topP: p = 1,
  minP: m = 0,
}: GenerationOptions): Map<number, number> {
  const weights = [...logits]
    .map((logit, id) => ({ id, weight: Math.exp(logit / temperature) }))
    .sort((a, b) => b.weight - a.weight);
  let kept = k > 0 ? weights.slice(0, k) : weights;
  const normalised = (): void => {
    const total = kept.reduce((sum, { weight }) => sum + weight, 0);
    kept = kept.map(({ id, weight }) => ({ id, weight: weight / total }));
  };
  normalised();
  let before = 0;
  kept = kept.filter(({ weight }) => {
    const keep = before < p;
    before += weight;
    return keep;
  });
  kept = kept.filter(({ weight }) => weight >= m * kept[0]!.weight);
  normalised();
  return new Map(kept.map(({ id, weight }) => [id, weight]));
}

/**
 * Upper tail of the chi-square distribution (Wilson and Hilferty 1931, then the normal's by a
 * continued series).
 */
function tail(statistic: number, degrees: number): number {
  const z =
    ((statistic / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / Math.sqrt(2 / (9 * degrees));
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const upper =
    (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z >= 0 ? upper : 1 - upper;
}

const cases: GenerationOptions[] = [
  { topK: 0, temperature: 1 },
  { topK: 0, temperature: 0.6 },
  { topK: 12, temperature: 1.4 },
  { topK: 0, topP: 0.8 },
  { topK: 0, minP: 0.1 },
  { temperature: 1.2, topK: 30, topP: 0.9, minP: 0.05 },
];

for (const options of cases) {
  test(`20,000 draws with ${JSON.stringify(options)} pass a chi-square test`, () => {
    const wanted = expected(options);
    const counts = new Map<number, number>();
    for (let seed = 0; seed < 20_000; seed++) {
      const id = new Chooser(
        configOf({ ...options, doSample: true, seed }),
        Int32Array.of(1),
        0,
      ).choose(logits);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    for (const id of counts.keys()) assert.ok(wanted.has(id), `token ${id} was filtered out`);
    // Cells that expect few are put together.
    let [statistic, cells, rareSeen, rareWanted] = [0, 0, 0, 0];
    for (const [id, probability] of wanted) {
      const [seen, mean] = [counts.get(id) ?? 0, probability * 20_000];
      if (mean < 5) {
        rareSeen += seen;
        rareWanted += mean;
        continue;
      }
      statistic += (seen - mean) ** 2 / mean;
      cells += 1;
    }
    if (rareWanted > 0) {
      statistic += (rareSeen - rareWanted) ** 2 / rareWanted;
      cells += 1;
    }
    const p = tail(statistic, cells - 1);
    assert.ok(p > 0.001, `chi-square ${statistic} with ${cells - 1} degrees of freedom, p = ${p}`);
  });
}

test('probabilities are those of the definition', () => {
  for (const options of cases) {
    const found = new Chooser(
      configOf({ ...options, doSample: true }),
      Int32Array.of(1),
      0,
    ).probabilities(logits);
    const wanted = expected(options);
    found.forEach((probability, id) => {
      assert.ok(
        Math.abs(probability - (wanted.get(id) ?? 0)) < 1e-12,
        `${id}: ${probability}, ${wanted.get(id)}`,
      );
    });
  }
});

test('top-k keeps ties, top-p at least one', () => {
  const tied = Float64Array.of(1, 3, 3, 2, 3);
  topK(tied, 2);
  assert.equal([...tied], [-Infinity, 3, 3, -Infinity, 3]);
  const sharp = Float64Array.of(0, 50, 1);
  topP(sharp, 0.1);
  assert.equal([...sharp], [-Infinity, 50, -Infinity]);
});

test('logit bias, presence and frequency penalty', () => {
  const choose = (options: GenerationOptions, times: number): number[] => {
    const chooser = new Chooser(configOf({ doSample: false, ...options }), Int32Array.of(1), 0);
    return Array.from({ length: times }, () => chooser.choose(Float32Array.of(1, 2, 2.5, 2.2)));
  };
  assert.equal(choose({}, 2), [2, 2]);
  assert.equal(choose({ logitBias: { 1: 5 } }, 2), [1, 1]);
  assert.equal(choose({ logitBias: { 2: -Infinity } }, 1), [3]);
  assert.equal(
    choose({ presencePenalty: 1 }, 4),
    [2, 3, 1, 2],
    'the prompt does not count; what was said counts once',
  );
  assert.equal(choose({ frequencyPenalty: 0.2 }, 4), [2, 2, 3, 2]);
});

test('who sets a temperature samples; the checkpoint decides otherwise', () => {
  const saved = (generationConfig: Record<string, unknown>, options: GenerationOptions): boolean =>
    decideConfig({ ...model, generationConfig }, 1, options, {}).config.doSample;
  assert.is(saved({}, {}), false);
  assert.is(saved({ do_sample: true }, {}), true);
  assert.is(saved({ do_sample: false }, { temperature: 0.7 }), true);
  assert.is(saved({ do_sample: true }, { temperature: 0 }), false);
  assert.is(saved({ do_sample: true }, { doSample: false }), false);
});

test('what is configured: the section before the checkpoint, nothing that neither sets', () => {
  const configured = (
    generationConfig: Record<string, unknown>,
    section: GenerationOptions,
  ): GenerationOptions => configuredOptions({ ...model, generationConfig }, 0, section);
  assert.equal(configured({}, {}), {});
  assert.equal(configured({ top_k: 20, top_p: 0.9, max_length: 64 }, { topK: 10 }), {
    topK: 10,
    topP: 0.9,
    maxNewTokens: 64,
    doSample: true,
  });
  assert.equal(configured({ do_sample: false, top_k: null }, {}), { doSample: false });
});

test('generation_config is honoured, and what is not supported is listed', async () => {
  const generationConfig = {
    temperature: 0.6,
    top_p: 0.9,
    top_k: 20,
    max_new_tokens: 7,
    repetition_penalty: 1.1,
    do_sample: true,
    typical_p: 0.9,
    use_cache: true,
    pad_token_id: 0,
  };
  const { config, ignored } = decideConfig(
    { ...model, generationConfig },
    1,
    { topP: 0.5 },
    { topK: 10 },
  );
  assert.equal(
    [config.temperature, config.topP, config.topK, config.maxNewTokens, config.repetitionPenalty],
    [0.6, 0.5, 10, 7, 1.1],
  );
  assert.equal(ignored, ['typical_p']);
});

test('options out of range are refused by name', () => {
  for (const [options, key] of [
    [{ topP: 0 }, 'topP'],
    [{ temperature: -1 }, 'temperature'],
    [{ maxNewTokens: 0 }, 'maxNewTokens'],
    [{ numBeams: 2, numReturnSequences: 3 }, 'numReturnSequences'],
    [{ logitBias: { 99: 1 } }, 'every key of logitBias must be a token id below '],
    [{ numBeams: 2, doSample: true }, 'numBeams'],
    [{ stop: [''] }, 'stop'],
    [{ minP: Number.NaN }, 'minP'],
  ] as const) {
    assert.throws(
      () => configOf(options),
      (error: Error) => error.message.startsWith(key),
    );
  }
});

test('a seed gives the same answers again, each sequence its own, alone and in company', () =>
  withModel(familyFolder('llama'), {}, async ({ generator, model: llama }) => {
    const ask = (seed: number, n = 2): Promise<string[]> =>
      generator
        .inference({
          model: llama,
          prompt: Int32Array.of(5, 9),
          options: {
            seed,
            numReturnSequences: n,
            doSample: true,
            maxNewTokens: 12,
            eosTokenId: [],
          },
        })
        .then((results) => results.map(({ ids }) => ids.join()));
    const first = await ask(1);
    assert.equal((await Promise.all([ask(1), ask(2), ask(3)]))[0], first);
    assert.is.not(first[0], first[1]);
    assert.is((await ask(1, 1))[0], first[0]);
    assert.is.not((await ask(2))[0], first[0]);
  }));

test('the same request with a seed gives the same answers, whenever others come and go', () =>
  withModel(familyFolder('llama'), {}, async ({ generator, model: llama }) => {
    const ask = (length: number, options: GenerationOptions): Promise<string[]> =>
      generator
        .inference({
          model: llama,
          prompt: Int32Array.from({ length }, (_, place) => (7 * place + length) % 96),
          options: { doSample: true, topK: 0, eosTokenId: [], ...options },
        })
        .then((results) => results.map(({ ids }) => ids.join()));
    const wanted = (): Promise<string[]> =>
      ask(3, { seed: 11, numReturnSequences: 3, maxNewTokens: 16 });
    const others = (): Promise<string[]>[] => [
      ask(9, { maxNewTokens: 4 }),
      ask(3, { seed: 11, maxNewTokens: 2 }),
      ask(30, { seed: 11, temperature: 2, numReturnSequences: 2, maxNewTokens: 30 }),
      ask(5, { numBeams: 2, doSample: false, maxNewTokens: 5 }),
    ];
    const alone = await wanted();
    assert.is(new Set(alone).size, 3);
    const before = others();
    const last = wanted();
    assert.equal(await last, alone, 'after others');
    await Promise.all(before);
    const first = wanted();
    const behind = others();
    assert.equal(await first, alone, 'before others');
    await Promise.all(behind);
    // comes while others are half-way, twice at once
    const running = others();
    await running[1];
    assert.equal(await Promise.all([wanted(), wanted()]), [alone, alone], 'among others');
    await Promise.all(running);
  }));

test("log-probabilities are the model's own, the likeliest first", () =>
  withModel(familyFolder('llama'), {}, async ({ generator, model: llama }) => {
    const [result] = await generator.inference({
      model: llama,
      prompt: Int32Array.of(5, 9),
      options: { temperature: 3, seed: 1, logprobs: 4, maxNewTokens: 10, eosTokenId: [] },
    });
    for (const { id, logprob, top } of result!.tokens) {
      assert.is(top!.length, 4);
      assert.equal(
        [...top!].sort((a, b) => b.logprob - a.logprob),
        top,
      );
      const among = top!.find((other) => other.id === id);
      if (among) assert.is(among.logprob, logprob);
      else assert.ok(logprob! <= top![3]!.logprob);
    }
  }));

test.run();
