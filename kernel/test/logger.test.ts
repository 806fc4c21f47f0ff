// Where lines go: terminal or not, --json, --verbose, colours, progress.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createLogger, type LoggerOptions } from '../src/logger.ts';

function streams(isTTY: boolean, columns = 20) {
  const written = { out: '', err: '' };
  const stdout = {
    isTTY,
    columns,
    write: (text: string) => {
      written.out += text;
    },
  };
  const stderr = {
    isTTY,
    columns,
    write: (text: string) => {
      written.err += text;
    },
  };
  return {
    written,
    logger: (options: LoggerOptions = {}) =>
      createLogger({ color: false, stdout, stderr, ...options }),
  };
}

test('information on stdout, warnings and errors on stderr, debug with verbose only', () => {
  const { written, logger } = streams(false);
  const log = logger();
  log.info('a');
  log.warn('b');
  log.error('c');
  log.debug('d');
  log.event('e', { x: 1 }, 'text of e');
  log.event('f', {});
  assert.equal(written, { out: 'a\ntext of e\n', err: 'warning: b\nerror: c\n' });
  logger({ verbose: true }).debug('d');
  assert.match(written.err, /d\n$/);
});

test('--json: only events on stdout', () => {
  const { written, logger } = streams(false);
  const log = logger({ json: true });
  log.info('a');
  log.event('e', { x: 1 }, 'text of e');
  log.table('t', [['k', 'v']]);
  assert.equal(written, { out: '{"type":"e","x":1}\n', err: 'a\nt\n  k  v\n' });
});

test('a progress line takes its own place on a terminal, is cut to its width, and gives way to lines', () => {
  const { written, logger } = streams(true);
  const log = logger();
  log.progress('step 1');
  log.progress('a line that is longer than the terminal');
  log.info('done');
  log.progress('step 2');
  log.end();
  log.end();
  assert.is(
    written.out,
    '\r\u001b[2Kstep 1\r\u001b[2Ka line that is l...\r\u001b[2Kdone\n\r\u001b[2Kstep 2\n',
  );
});

test('without a terminal progress is a plain line now and then', () => {
  const { written, logger } = streams(false);
  const log = logger({ progressInterval: 60_000 });
  for (let index = 0; index < 5; index++) log.progress(`step ${index}`);
  assert.is(written.out, 'step 0\n');
  const often = logger({ progressInterval: 0 });
  often.progress('x');
  often.progress('y');
  assert.is(written.out, 'step 0\nx\ny\n');
});

test('colours: on a terminal, unless NO_COLOR is set or they are refused', () => {
  const before = process.env['NO_COLOR'];
  const warned = (isTTY: boolean, options: LoggerOptions, noColor?: string): boolean => {
    if (noColor === undefined) delete process.env['NO_COLOR'];
    else process.env['NO_COLOR'] = noColor;
    let text = '';
    const stream = {
      isTTY,
      write: (part: string) => {
        text += part;
      },
    };
    createLogger({ stdout: stream, stderr: stream, ...options }).warn('x');
    return text.includes('\u001b[33m');
  };
  assert.is(warned(true, {}), true);
  assert.is(warned(false, {}), false);
  assert.is(warned(true, {}, '1'), false);
  assert.is(warned(true, { color: false }), false);
  assert.is(warned(false, { color: true }), true);
  if (before === undefined) delete process.env['NO_COLOR'];
  else process.env['NO_COLOR'] = before;
});

test('a table aligns its first column', () => {
  const { written, logger } = streams(false);
  logger().table('title', [
    ['a', '1'],
    ['longer', '2'],
  ]);
  assert.is(written.out, 'title\n  a       1\n  longer  2\n');
});

test.run();
