// Every family of models against transformers (float32): logits, loss, and the gradient of every
// tensor.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { familyCases, gradientFamilies, gradientFigures, logitsDifference } from './figures.ts';

for (const { family, style } of familyCases()) {
  test(`${family} (${style}): logits equal transformers' within 1e-4`, async () => {
    const difference = await logitsDifference(family, style);
    assert.ok(difference < 1e-4, `logits differ by ${difference}`);
  });
}

for (const family of gradientFamilies()) {
  test(`${family}: loss and every gradient equal PyTorch's`, async () => {
    const { lossDifference, gradients } = await gradientFigures(family);
    assert.ok(lossDifference < 1e-5, `the loss is off by ${lossDifference}`);
    for (const { name, norm, error } of gradients) {
      assert.ok(
        error <= Math.max(1e-3 * norm, 1e-6),
        `${name}: the gradient is off by ${error}, its norm is ${norm}`,
      );
    }
  });
}

test.run();
