// Twenty optimizer steps through the product's own training loop against PyTorch (+ PEFT).
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ADAPTER_PLUGINS, FIXTURES } from './family.ts';
import { stepFigures } from './figures.ts';

for (const family of readdirSync(join(FIXTURES, 'steps'))) {
  for (const method of readdirSync(join(FIXTURES, 'steps', family))) {
    test(`${family}, ${method}: 20 steps as PyTorch takes them`, async () => {
      const { steps, loss, gradientNorm, learningRate, logits } = await stepFigures(family, method);
      assert.is(steps, 20);
      // Where a lower rate leaves rounding small.
      const tight = family === 'llama-tied' || method in ADAPTER_PLUGINS;
      const limit = tight ? 1e-5 : 1e-3;
      assert.ok(loss < limit, `a loss is off by ${loss}`);
      assert.ok(gradientNorm < 1e-3, `a gradient norm is off by ${100 * gradientNorm}%`);
      assert.ok(learningRate < 1e-9, `a learning rate is off by ${learningRate}`);
      assert.ok(logits < 5e-3, `logits after training are off by ${logits}`);
    });
  }
}

test.run();
