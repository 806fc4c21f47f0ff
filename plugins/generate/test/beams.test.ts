// Beam search against transformers: the same beams in the same order, with the same scores.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { familyFolder, reference, withModel } from './support.ts';

for (const family of new Set(reference.beams.map((one) => one.family))) {
  test(`${family}: transformers' beams`, () =>
    withModel(familyFolder(family), {}, async ({ generator, model }) => {
      const cases = reference.beams.filter((one) => one.family === family);
      await Promise.all(
        cases.map(async ({ prompt, options: given, eos, ids, scores }) => {
          const {
            num_beams,
            num_return_sequences,
            length_penalty,
            early_stopping,
            repetition_penalty,
          } = given as Record<string, number>;
          const options = {
            numBeams: num_beams!,
            numReturnSequences: num_return_sequences ?? 1,
            lengthPenalty: length_penalty ?? 1,
            earlyStopping: (early_stopping ?? false) as unknown as boolean,
            repetitionPenalty: repetition_penalty ?? 1,
            eosTokenId: eos,
            maxNewTokens: 16,
            doSample: false,
          };
          const results = await generator.inference({
            model,
            prompt: Int32Array.from(prompt),
            options,
          });
          assert.equal(
            results.map((result) => [...result.ids]),
            ids,
            JSON.stringify(given),
          );
          results.forEach(({ score }, index) => {
            assert.ok(Math.abs(score! - scores[index]!) < 1e-4, `${score}, ${scores[index]}`);
          });
        }),
      );
    }));
}

test('beams are not streamed', () =>
  withModel(familyFolder('llama'), {}, async ({ generator, model }) => {
    const pieces = generator.streamInference({
      model,
      prompt: Int32Array.of(5),
      options: { numBeams: 2 },
    });
    try {
      for await (const piece of pieces) assert.unreachable(piece.text);
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code?: string }).code, 'LMFLOW_GENERATE_STREAM_BEAMS');
    }
  }));

test.run();
