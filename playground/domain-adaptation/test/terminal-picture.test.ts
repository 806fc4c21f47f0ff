// The recording: every line once, in order, waits shortened, markup escaped.
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { terminalPicture } from '../src/terminal-picture.ts';

const test = suite('the picture of a terminal');

test('shows every line, escaped, in order; a long wait is cut short', () => {
  const picture = terminalPicture([
    { text: '$ npm run demo', seconds: 0 },
    { text: '<a> & \u001B[1mb\u001B[0m', seconds: 0.5 },
    { text: 'x'.repeat(120), seconds: 60.5 },
  ]);
  const lines = [...picture.matchAll(/delay:([\d.]+)s" xml:space="preserve">([^<]*)<\/text>/g)];
  assert.deepEqual(
    lines.map(([, delay, text]) => [delay, text]),
    [
      ['0.0', '$ npm run demo'],
      ['0.5', '&lt;a> &amp; b'],
      ['1.7', `${'x'.repeat(99)}…`],
    ],
  );
});

test('scrolls as far as lines come, and ends there', () => {
  const lines = Array.from({ length: 40 }, (_, at) => ({ text: `${at}`, seconds: at / 10 }));
  const picture = terminalPicture(lines);
  assert.match(picture, /\.lines \{ transform: translateY\(-68px\); animation: scroll 3\.9s/);
  const frames = [...picture.matchAll(/^([\d.]+)% \{ transform: translateY\((-?\d+)px\)/gm)];
  assert.deepEqual(
    frames.map(([, , y]) => Number(y)),
    [0, -17, -34, -51, -68],
  );
});

test.run();
