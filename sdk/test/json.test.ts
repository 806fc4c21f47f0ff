// JSON that is read and written as it stands: digits, number forms, the order of keys.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { JsonNumber, jsonFloat, parseJson, randomStream, stringifyJson } from '../src/index.ts';

const SAME = [
  '1234567890123456789',
  '-9007199254740993',
  '[9007199254740991,9007199254740992,18446744073709551615]',
  '{"a":1.0,"b":1e5,"c":1E+5,"d":0.10,"e":-0,"f":-0.0,"g":1e400,"h":0.1234567890123456789}',
  '{"b":1,"10":2,"a":3,"2":4}',
  '{"outer":{"2":"x","1":["y",{"z":null,"0":false}]},"1":true}',
  '{"text":"1.0, \\"2\\": 3e5 \\\\","more\\"":"\\u0000","":{}}',
  '{"__proto__":1.0,"constructor":[]}',
  `[${'7'.repeat(5000)}]`,
  '"plain"',
  'null',
];

test('a JSON text that is read and written stands as it stood', () => {
  for (const text of SAME) {
    assert.is(stringifyJson(parseJson(text)), text);
    const spaced = text.replaceAll(/([:,{[])(?=["\d-])/g, '$1 \n');
    if (!text.includes('text')) assert.is(stringifyJson(parseJson(spaced)), text);
  }
});

test('values that JavaScript keeps are its own values', () => {
  const text = '{"a":[1,-2,0.5,true,null,"x"],"b":{"c":{}},"n":9007199254740991}';
  assert.equal(parseJson(text), JSON.parse(text));
  assert.equal(parseJson('{"n": 2.50, "a": [0.5]}'), { n: new JsonNumber('2.50'), a: [0.5] });
  assert.is(parseJson('9007199254740993'), 9007199254740993n);
  assert.is(Number(parseJson('1e5')), 100000);
  assert.is(JSON.stringify(parseJson('{"x": 1e5, "y": 1.0}')), '{"x":100000,"y":1}');
});

test('objects keep the order of keys that are numbers, also where they change', () => {
  const value = parseJson('{"b":1,"10":2,"a":3}') as Record<string, unknown>;
  assert.equal(Object.keys(value), ['b', '10', 'a']);
  assert.is(value['10'], 2);
  value['1'] = 4;
  delete value['b'];
  assert.equal(Object.entries(value), [
    ['10', 2],
    ['a', 3],
    ['1', 4],
  ]);
  assert.equal(parseJson('{"\\u0031":1,"0":2}'), { 0: 2, 1: 1 });
  assert.is(stringifyJson(parseJson('{"\\u0031":1,"0":2}')), '{"1":1,"0":2}');
});

test('random values are read as JSON.parse reads them', () => {
  const random = randomStream(7, 'json');
  let draw = 0;
  const below = (count: number): number => Math.floor(random.uniform(draw++) * count);
  const value = (depth: number): unknown => {
    switch (below(depth > 3 ? 5 : 7)) {
      case 0:
        return below(1000) - 500;
      case 1:
        return random.uniform(draw++) * 10 ** (below(40) - 20);
      case 2:
        return ['', '"', '\\', '\\"', 'a\nb', '\u2028é😀', '"12":', ': 1.0'][below(8)];
      case 3:
        return below(2) === 0;
      case 4:
        return null;
      case 5:
        return Array.from({ length: below(4) }, () => value(depth + 1));
      default:
        return Object.fromEntries(
          Array.from({ length: below(5) }, (_, index) => [
            ['k', '1', 'x"', '\\'][below(4)]! + index,
            value(depth + 1),
          ]),
        );
    }
  };
  for (let round = 0; round < 500; round++) {
    const text = JSON.stringify([value(0), 1.5], undefined, below(3));
    assert.is(stringifyJson(parseJson(text)), JSON.stringify(JSON.parse(text)), text);
  }
});

test('what is no JSON is refused as JSON.parse refuses it', () => {
  for (const text of [
    '',
    '{city: Oslo}',
    '[1.0,]',
    '{"a":1.0}x',
    '01.5',
    '"1.0',
    '1.',
    `${'['.repeat(2000)}1.0`,
  ]) {
    assert.throws(() => parseJson(text), SyntaxError, text);
  }
  const deep = `${'['.repeat(2000)}1.0${']'.repeat(2000)}`;
  assert.throws(() => parseJson(deep), /nested deeper than 1000 levels/);
});

test('a float without fraction is written as one', () => {
  const written = [1, -2, 0, -0, 0.5, 1e15, 1e16, 123456789012345680000, 1e300];
  assert.equal(
    written.map((value) => stringifyJson(jsonFloat(value))),
    [
      '1.0',
      '-2.0',
      '0.0',
      '-0.0',
      '0.5',
      '1000000000000000.0',
      '1e+16',
      '1.2345678901234568e+20',
      '1e+300',
    ],
  );
});

test.run();
