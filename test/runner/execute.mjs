// Runs one test file in a process of its own and reads uvu's summary. The exit code alone is not
// believed: uvu exits 0 when nothing ran.
import { spawn } from 'node:child_process';
import { neverRun } from './files.mjs';

const living = new Set();
process.on('exit', () => living.forEach(stop));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

const ansi = /\u001b\[[0-9;]*m/g; // eslint-disable-line no-control-regex

/**
 * Runs a command and never rejects.
 * @param {string} command
 * @param {string[]} args
 * @param {{ timeout?: number, env?: Record<string, string> }} options timeout in seconds
 * @returns {Promise<{ code: number, output: string, seconds: number, timedOut: boolean }>}
 */
export function run(command, args, { timeout = 0, env = {} } = {}) {
  return new Promise((resolve) => {
    const start = performance.now();
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32', // there it would open a window
    });
    if (child.pid) living.add(child.pid);
    let output = '';
    let timedOut = false;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    const timer =
      timeout > 0
        ? setTimeout(() => ((timedOut = true), stop(child.pid)), timeout * 1000)
        : undefined;
    const end = (code) => {
      clearTimeout(timer);
      living.delete(child.pid);
      resolve({ code, output, timedOut, seconds: (performance.now() - start) / 1000 });
    };
    child.on('error', (error) => ((output += `${error}\n`), end(1)));
    child.on('close', (code) => end(code ?? 1));
  });
}

/**
 * The command that runs npm: the one that runs us, because Windows cannot start npm.cmd by its name.
 * @param {string[]} args
 * @returns {[command: string, args: string[]]}
 */
export function npm(args) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? [process.execPath, [cli, ...args]] : ['npm', args];
}

// The whole process group, because a test may have started others; on Windows there are none.
function stop(pid) {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // already gone
  }
}

/**
 * Runs one test file; a file without `problem` has passed.
 * @param {string} file
 * @param {number} timeout in seconds
 * @returns {Promise<{ file: string, passed: number, failed: number, skipped: number, seconds:
 * number, problem?: string,
 *   output: string, notes: string[] }>}
 */
export async function runFile(file, timeout) {
  const forgotten = neverRun(file);
  if (forgotten)
    return {
      file,
      passed: 0,
      failed: 1,
      skipped: 0,
      seconds: 0,
      problem: forgotten,
      output: '',
      notes: [],
    };
  const flags = ['--conditions=lmflow-source', '--import', 'tsx', file];
  const { code, output, timedOut, seconds } = await run(process.execPath, flags, {
    timeout,
    env: { FORCE_COLOR: '0' },
  });
  const text = output.replace(ansi, '');
  const notes = text.match(/^skipped: .*$/gm) ?? [];
  const [total, passed, skips] = ['Total', 'Passed', 'Skipped'].map((word) => summary(text, word));
  const skipped = Math.max(skips ?? 0, notes.length);
  const result = {
    file,
    passed: passed ?? 0,
    failed: Math.max(0, (total ?? 0) - (passed ?? 0)),
    skipped,
    seconds,
    output,
    notes,
  };
  const problem = verdict({ code, timedOut, timeout, total, passed, notes });
  if (!problem) return result;
  return { ...result, failed: Math.max(1, result.failed), problem };
}

// The last line wins: a test may itself print what a child's uvu said.
function summary(text, word) {
  const found = [...text.matchAll(new RegExp(`^ {2}${word}: +(\\d+)$`, 'gm'))].at(-1);
  return found && Number(found[1]);
}

function verdict({ code, timedOut, timeout, total, passed, notes }) {
  if (timedOut) return `stopped after ${timeout} s`;
  if (total === undefined) return `ended with code ${code} before uvu's summary`;
  if (total === 0 && notes.length === 0)
    return "no test ran (a file that skips all must print 'skipped: <why>')";
  if (passed !== total) return `${total - passed} of ${total} tests failed`;
  if (code !== 0) return `all tests passed, but the process ended with code ${code}`;
  return undefined;
}
