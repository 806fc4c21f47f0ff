// Twenty optimizer steps through the product's own training loop against PyTorch (+ PEFT): each loss, gradient norm, learning rate, and the
// logits afterwards.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LANGUAGE_MODELING, TRAINER, type Sample, type Samples } from '@lmflow/sdk';
import { FIXTURES, json, largestDifference, load, logitsOf, modelFolder, tensors, withKernel } from './family.ts';

interface Run {
  readonly train: readonly { readonly input_ids: readonly number[]; readonly labels: readonly number[] }[];
  readonly order: readonly (readonly number[])[];
  readonly settings: { readonly learning_rate: number; readonly weight_decay: number; readonly warmup_steps: number; readonly max_grad_norm: number };
}
interface Reference { readonly loss: number[]; readonly grad_norm: number[]; readonly learning_rate: number[] }

for (const family of ['llama', 'qwen2', 'gpt2']) {
  for (const method of ['lora', 'full'] as const) {
    test(`${family}, ${method}: 20 steps as PyTorch takes them`, async () => {
      const path = ['steps', family, method] as const;
      const { settings, ...run } = json<Run>(...path, 'run.json');
      const expected = json<Reference>(...path, 'reference.json');
      const reference = await tensors(...path, 'reference.safetensors');
      const config = {
        outputDir: mkdtempSync(join(tmpdir(), 'lmflow-steps-')), perDeviceTrainBatchSize: 2, maxSteps: expected.loss.length, trainSamplingStrategy: 'sequential',
        learningRate: settings.learning_rate, weightDecay: settings.weight_decay, lrSchedulerType: 'linear', warmupSteps: settings.warmup_steps,
        maxGradNorm: settings.max_grad_norm, loggingSteps: 1, saveStrategy: 'no',
        ...(method === 'lora' ? { lora: { adapter: join(FIXTURES, ...path, 'initial') } } : {}),
      };
      await withKernel(method === 'lora' ? 'lora' : 'finetune', config, async (kernel) => {
        const model = await load(kernel, modelFolder(family), 'training');
        const { log } = await kernel.resolve(TRAINER).fit({ model, train: inOrder(run), objective: kernel.resolve(LANGUAGE_MODELING) });
        const steps = log.filter((entry) => 'gradNorm' in entry || 'grad_norm' in entry || 'gradientNorm' in entry);
        assert.is(steps.length, expected.loss.length);
        steps.forEach((entry, index) => {
          const norm = entry['grad_norm'] ?? entry['gradNorm'] ?? entry['gradientNorm'];
          const rate = entry['learning_rate'] ?? entry['learningRate'];
          assert.ok(Math.abs(entry['loss']! - expected.loss[index]!) < 1e-3, `step ${index + 1}: loss ${entry['loss']}, PyTorch ${expected.loss[index]}`);
          assert.ok(Math.abs(norm! - expected.grad_norm[index]!) < 1e-3 * expected.grad_norm[index]!, `step ${index + 1}: gradient norm ${norm}, PyTorch ${expected.grad_norm[index]}`);
          assert.ok(Math.abs(rate! - expected.learning_rate[index]!) < 1e-9, `step ${index + 1}: learning rate ${rate}, PyTorch ${expected.learning_rate[index]}`);
        });
        const logits = await logitsOf(kernel, model, reference.get('input_ids')!.data, reference.get('input_ids')!.shape[0]!);
        const difference = largestDifference(logits, reference.get('logits')!.data, reference.get('attention_mask')!.data, 96);
        assert.ok(difference < 5e-3, `logits after training differ by ${difference}`);
      });
    });
  }
}

/** The samples of every step, one after the other: read in sequence they are the reference's batches. */
function inOrder({ train, order }: Pick<Run, 'train' | 'order'>): Samples {
  const samples = order.flat().map((index): Sample => ({ inputIds: Int32Array.from(train[index]!.input_ids), labels: Int32Array.from(train[index]!.labels) }));
  return {
    length: samples.length, fingerprint: 'steps', get: (index) => samples[index]!, lengthOf: (index) => samples[index]!.inputIds.length,
    statistics: { samples: samples.length, tokens: 0, trainedTokens: 0, truncated: 0, dropped: 0 },
  };
}

test.run();
