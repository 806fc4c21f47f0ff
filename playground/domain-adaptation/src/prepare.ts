// Writes the domain to ./work, or to the folder named on the command line.
import { ALL, makeDomain, makeReplay, writeDomain } from './domain/index.ts';

const domain = makeDomain(ALL);
await writeDomain(process.argv[2] ?? 'work', domain, makeReplay());
const { terms, texts, tasks, tests } = domain;
console.log(
  `${terms.told.length} terms in ${texts.length} texts, ${tasks.length} training questions; ` +
    `${terms.heldOut.length} terms held out`,
);
for (const [name, records] of Object.entries(tests)) {
  const { question, choices, gold } = records[0]!;
  console.log(`${name.padEnd(16)}${records.length} questions, e.g. ${question}`);
  choices.forEach((choice, index) => console.log(`  ${index === gold ? '*' : ' '} ${choice}`));
}
