// What must hold so that the experiment's figures mean something: nothing of the test sets is in
// training, the default model's own text included, and the answers alone give nothing away.
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { LESSONS, makeWorld, readSources } from '@lmflow/playground-default-model/world';
import { ALL, makeDomain, makeReplay, readTerms, type Term } from '../src/domain/index.ts';

const test = suite('the test sets');
const terms = readTerms();
const domain = makeDomain(ALL, terms);
const small = makeDomain({ terms: 200, readings: 300 }, terms);
const tests = Object.entries(domain.tests);
const questions = domain.tasks.map(({ messages: [{ content }] }) => content);
const taught = [...domain.texts, ...domain.tasks.flatMap(({ messages }) => messages.map(text))];

test('are the same each time', () => {
  assert.deepEqual(makeDomain(ALL, terms), domain);
  assert.deepEqual(small.tests['m1_reading'], domain.tests['m1_reading']);
});

test('hold out terms of which training has no name, plural or synonym', () => {
  assert.deepEqual(namesIn(taught), []);
  assert.deepEqual(namesIn(small.texts), []);
});

test('hold out terms that the default model never read', () => {
  const sources = readSources();
  const worlds = [undefined, LESSONS].map((plan) => makeWorld(1, 300_000, sources, plan));
  const conversations = [...worlds.flatMap((world) => world.conversations), ...makeReplay(60_000)];
  const facts = sources.facts.flatMap(({ statements, questions: asked }) => [
    ...statements,
    ...asked,
  ]);
  const read = [
    ...facts,
    ...sources.definitions,
    ...sources.examples,
    ...worlds.flatMap(({ texts }) => texts),
  ];
  assert.deepEqual(namesIn([...read, ...conversations.flat().map(text)]), []);
});

test('would tell a name that training has', () => {
  const { word } = terms.heldOut[0]!;
  assert.equal(namesIn([`She had ${word}, not two ${word}s.`]).length, 2);
});

test('have no question of training', () => {
  const trained = new Set(questions);
  for (const [name, records] of tests) {
    const asked = records.map(({ question }) => question);
    assert.deepEqual(
      asked.filter((question) => trained.has(question)),
      [],
      name,
    );
    assert.equal(new Set(asked).size, asked.length, `${name} asks something twice`);
  }
});

test('M2 asks what the text tells in five wordings and no training question asks', () => {
  const all = domain.texts.join(' ');
  const answers = new Set(domain.tasks.map(({ messages }) => messages[1].content));
  for (const { answer } of domain.written) {
    const word = answer.slice(0, -1);
    assert.ok(!answers.has(answer), answer);
    const told = [`${word} is `, `The word ${lower(word)} means`, ` is called ${lower(word)}.`];
    for (const wording of [
      ...told,
      `By ${lower(word)} doctors`,
      `doctors call ${lower(word)} is`,
    ]) {
      assert.ok(all.includes(wording), `"${wording}" is not told`);
    }
  }
});

test('have the right answer in every place equally often', () => {
  for (const [name, records] of tests) {
    const counts = records[0]!.choices.map(
      (_, place) => records.filter(({ gold }) => gold === place).length,
    );
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${name}: ${counts.join()}`);
  }
});

test('are not answered by their longest or shortest answer', () => {
  for (const [name, records] of tests.filter(([name]) => name !== 'm1_reading')) {
    for (const kind of ['near', 'mixed']) {
      const some = records.filter((record) => 'options' in record && record.options === kind);
      const lengths = some.map(({ choices }) => choices.map(({ length }) => length));
      for (const pick of [Math.max, Math.min]) {
        const right = some.map(({ gold }, at) => {
          const best = pick(...lengths[at]!);
          const those = lengths[at]!.filter((length) => length === best).length;
          return lengths[at]![gold] === best ? 1 / those : 0;
        });
        near(right, 1 / 4, `${name}, ${kind}, ${pick.name}`);
      }
    }
  }
});

test('have answers of one kind of thing, or two and two', () => {
  const medical = kindsOf([...terms.told, ...terms.heldOut]);
  const far = kindsOf(terms.far);
  for (const [name, records] of tests) {
    const kinds = name === 'm4_far' ? far : medical;
    for (const record of records) {
      if (!('options' in record)) continue;
      const own = record.choices.map((choice) => kinds.get(lower(choice.slice(0, -1))));
      const like = own.filter((kind) => kind === own[record.gold]).length;
      assert.ok(own[record.gold] !== undefined, record.question);
      assert.equal(like, record.options === 'near' ? 4 : 2, `${name}: ${record.question}`);
    }
  }
});

test('M1 is answered neither by the kind that is asked for nor by the first words', () => {
  const records = domain.tests['m1_reading']!;
  for (const rule of [/ (\w+)\?$/, /^(\w+)/]) {
    const groups = new Map<string, number[]>();
    for (const { question, gold } of records) {
      const key = rule.exec(question)![1]!;
      groups.set(key, [...(groups.get(key) ?? []), gold]);
    }
    const large = [...groups.values()].filter((golds) => golds.length >= 50);
    for (const golds of large) {
      for (const answer of [0, 1, 2]) {
        near(
          golds.map((gold) => (gold === answer ? 1 : 0)),
          1 / 3,
          String(rule),
        );
      }
    }
  }
});

test('the control has the same questions and answers, but not together', () => {
  const pairs = (tasks: typeof domain.tasks): string[] =>
    tasks.map(({ messages }) => messages.map(text).join('\n'));
  const contents = (tasks: typeof domain.tasks, at: 0 | 1): string[] =>
    tasks.map(({ messages }) => messages[at].content).sort();
  for (const at of [0, 1] as const) {
    assert.deepEqual(contents(domain.shuffledTasks, at), contents(domain.tasks, at));
  }
  const right = new Set(pairs(domain.tasks));
  const kept = pairs(domain.shuffledTasks).filter((pair) => right.has(pair)).length;
  assert.ok(kept < domain.tasks.length / 4, `${kept} of ${domain.tasks.length} are right`);
});

/** Kinds by word and by definition. */
function kindsOf(list: readonly Term[]): Map<string, string> {
  return new Map(
    list.flatMap(({ word, definition, kind }) => [
      [lower(word), kind],
      [lower(definition), kind],
    ]),
  );
}

/** Names of held-out terms with their plurals, lower case. */
const names = new Set(terms.heldOut.flatMap((term) => term.names.flatMap(forms)));

function forms(name: string): string[] {
  const endings: [RegExp, string][] = [
    [/$/, 's'],
    [/$/, 'es'],
    [/is$/, 'es'],
    [/is$/, 'ides'],
    [/y$/, 'ies'],
    [/a$/, 'ata'],
    [/a$/, 'ae'],
    [/us$/, 'i'],
  ];
  const plurals = endings.filter(([end]) => end.test(name));
  return [name, ...plurals.map(([end, plural]) => name.replace(end, plural))];
}

/** The held-out names that texts have. */
function namesIn(texts: readonly string[]): string[] {
  const found = new Set<string>();
  for (const one of texts) {
    const words = one.toLowerCase().split(/[^\p{L}\p{N}]+/u);
    words.forEach((_, start) => {
      for (let end = start + 1; end <= Math.min(start + 6, words.length); end++) {
        const phrase = words.slice(start, end).join(' ');
        if (names.has(phrase)) found.add(phrase);
      }
    });
  }
  return [...found];
}

/** A share within two standard errors of what chance gives. */
function near(hits: readonly number[], chance: number, what: string): void {
  const share = hits.reduce((sum, hit) => sum + hit, 0) / hits.length;
  const error = Math.sqrt((chance * (1 - chance)) / hits.length);
  assert.ok(Math.abs(share - chance) <= 2 * error, `${what}: ${share.toFixed(3)}`);
}

function text({ content }: { readonly content: string }): string {
  return content;
}

function lower(word: string): string {
  return word.charAt(0).toLowerCase() + word.slice(1);
}

test.run();
