// The long table: every row with every seed. A killed run goes on where it was; results are in
// work/results, the table in work/table.json and work/table.md.
//   npm run experiment -- [--model default] [--seeds 5] [--epochs 20] [--rows base,text] [--limit n]
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ALL, makeDomain, makeReplay, writeDomain } from './domain/index.ts';
import { ROWS } from './experiment/rows.ts';
import { runRow, type Scores, type Settings } from './experiment/run.ts';
import { asMarkdown, rowCells, type Cells } from './experiment/table.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'default' },
    seeds: { type: 'string', default: '5' },
    epochs: { type: 'string', default: '20' },
    terms: { type: 'string', default: String(ALL.terms) },
    readings: { type: 'string', default: String(ALL.readings) },
    rows: { type: 'string', default: ROWS.map(({ name }) => name).join() },
    limit: { type: 'string' },
  },
});
const settings: Settings = {
  model: values.model,
  epochs: Number(values.epochs),
  ...(values.limit === undefined ? {} : { limit: Number(values.limit) }),
};
const amounts = { terms: Number(values.terms), readings: Number(values.readings) };
// Results of other settings are not mixed with these.
const description = JSON.stringify({ ...settings, ...amounts });
const domain = makeDomain(amounts);
await writeDomain('work', domain, makeReplay());
checkSettings();

const wanted = ROWS.filter(({ name }) => values.rows.split(',').includes(name));
const scores = new Map<string, Scores[]>();
for (let seed = 1; seed <= Number(values.seeds); seed++) {
  for (const row of wanted) {
    // The base is not trained: every seed is the same.
    if (row.dataset.length === 0 && seed > 1) continue;
    console.log(`\n${row.name}, seed ${seed}`);
    scores.set(row.name, [...(scores.get(row.name) ?? []), await runRow(row, seed, settings)]);
  }
}
const [base] = scores.get('base') ?? [];
if (base === undefined) throw new Error('--rows must have base: gains are over it');
const parts = Object.fromEntries(
  Object.entries(domain.tests).map(([name, records]) => [
    name,
    records.map((record) => ('options' in record ? record.options : undefined)),
  ]),
);
const rows: Record<string, Cells> = Object.fromEntries(
  [...scores].map(([name, seeds]) => [name, rowCells(seeds, base, parts)]),
);
writeFileSync('work/table.json', JSON.stringify({ ...settings, ...amounts, rows }, undefined, 1));
writeFileSync('work/table.md', asMarkdown(rows));
console.log(`\n${asMarkdown(rows)}`);

function checkSettings(): void {
  const file = 'work/settings.json';
  let earlier = description;
  try {
    earlier = readFileSync(file, 'utf8');
  } catch {
    writeFileSync(file, description);
  }
  if (earlier !== description) {
    throw new Error(`work/ has results of ${earlier}; move it away, or repeat these settings`);
  }
}
