// Prints the tables of docs/parity.md: node --conditions=lmflow-source --import tsx
// test/parity/report.ts
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FIXTURES } from './family.ts';
import {
  familyCases,
  gradientFamilies,
  gradientFigures,
  logitsDifference,
  stepFigures,
} from './figures.ts';

const short = (number: number): string => number.toExponential(1);
const table: string[] = [
  '| model | logits, largest difference | loss | gradients, largest error / norm |',
  '|---|---|---|---|',
];
for (const family of new Set(familyCases().map((entry) => entry.family))) {
  const styles = familyCases().filter((entry) => entry.family === family);
  const logits = Math.max(
    ...(await Promise.all(styles.map(({ style }) => logitsDifference(family, style)))),
  );
  const figures = gradientFamilies().includes(family) ? await gradientFigures(family) : undefined;
  // A gradient that is zero in theory (GPT-2's key bias) has no relative error.
  const worst =
    figures &&
    Math.max(...figures.gradients.map(({ error, norm }) => (norm < 1e-6 ? 0 : error / norm)));
  table.push(
    `| ${family} | ${short(logits)} | ${figures ? short(figures.lossDifference) : ''} | ${worst === undefined ? '' : short(worst)} |`,
  );
}
table.push(
  '',
  '| 20 steps | loss, largest difference | gradient norm, relative | logits afterwards |',
  '|---|---|---|---|',
);
const METHODS = ['lora', 'full', 'dora', 'loraplus', 'ia3', 'vera'];
for (const family of ['llama', 'qwen2', 'gpt2']) {
  const made = readdirSync(join(FIXTURES, 'steps', family));
  for (const method of METHODS.filter((one) => made.includes(one))) {
    const { loss, gradientNorm, logits } = await stepFigures(family, method);
    table.push(
      `| ${family}, ${method} | ${short(loss)} | ${short(gradientNorm)} | ${short(logits)} |`,
    );
  }
}
console.error(table.join('\n'));
