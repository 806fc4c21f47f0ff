// Columns: as wide as they look, wrapped at spaces.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { columns, pad, widest, wrap } from '../src/columns.ts';

test('text is wrapped at spaces; a word longer than the line keeps to itself', () => {
  assert.equal(wrap('one two  three\nfour', 9), ['one two', 'three', 'four']);
  assert.equal(wrap('a averylongword b', 6), ['a', 'averylongword', 'b']);
  assert.equal(wrap(' \n', 6), []);
});

test('rows of two columns; a long name has its description on the next line', () => {
  assert.equal(
    columns(
      [
        ['short', 'what the first one is good for'],
        ['a name that is too long', 'the other'],
        ['bare', ''],
      ],
      32,
      8,
    ),
    [
      '  short     what the first one',
      '            is good for',
      '  a name that is too long',
      '            the other',
      '  bare',
    ],
  );
});

test('wide characters take two places', () => {
  assert.is(widest(['训练', 'abc']), 4);
  assert.is(pad('训练', 5), '训练 ');
  assert.is(pad('训练', 3), '训练');
  assert.equal(wrap('训练 模型 abc', 9), ['训练 模型', 'abc']);
  assert.equal(
    columns(
      [
        ['训练', 'x'],
        ['abc', 'y'],
      ],
      40,
    ),
    ['  训练  x', '  abc   y'],
  );
});

test.run();
