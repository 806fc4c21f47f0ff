// What a run prints: a line for each gate and file, the slowest of them, what failed, and the
// closing line. And how a closing line is read again.

const slowestShown = 10;
const closing = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/;

/**
 * The closing line of a run.
 * @param {{ passed: number, failed: number, skipped: number }} counts
 */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/**
 * The counts in the closing line of a run's output; undefined where the last line is another.
 * @param {string} output
 */
export function countsIn(output) {
  const found = closing.exec(output.trimEnd().split('\n').at(-1) ?? '');
  if (!found) return undefined;
  const [passed, failed, skipped] = found.slice(1).map((digits) => Number(digits ?? 0));
  return { passed, failed, skipped };
}

/**
 * The counts of several runs together. A run that ends without a closing line, or with a code that
 * its line does not explain, is one failure more.
 * @param {{ code: number, output: string }[]} runs
 */
export function sum(runs) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { code, output } of runs) {
    const counts = countsIn(output);
    for (const key of Object.keys(total)) total[key] += counts?.[key] ?? 0;
    if (!counts || (code !== 0 && counts.failed === 0)) total.failed++;
  }
  return total;
}

/**
 * The longest of what ran, longest first.
 * @param {{ what: string, seconds: number }[]} ran
 */
export function slowest(ran) {
  return [...ran]
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, slowestShown)
    .map(({ what, seconds }) => `${`${seconds.toFixed(1)}s`.padStart(9)}  ${what}`);
}

/** Collects the counts and times of a run, and prints them. */
export class Report {
  #counts = { passed: 0, failed: 0, skipped: 0 };
  #failures = [];
  #ran = [];
  #start = performance.now();

  /** Counts one command, and prints its output if it failed. */
  gate(what, { code, output, seconds }) {
    if (code === 0) this.#counts.passed++;
    else this.fail(what, `ended with code ${code}`);
    this.#line(code === 0, what, seconds, '', code === 0 ? '' : output);
  }

  /** Counts the tests of one file, as `runFile` gives them. */
  file({ file, passed, failed, skipped, seconds, problem, output, notes }) {
    this.#counts.passed += passed;
    this.#counts.skipped += skipped;
    if (problem) this.fail(file, problem, failed);
    const counts = closingLine({ passed, failed, skipped }).replace(', 0 failed', '');
    const details = problem ? output : notes.map((note) => `${note}\n`).join('');
    this.#line(!problem, file, seconds, problem ? `${counts}: ${problem}` : counts, details);
  }

  /** Counts a failure that no gate and no file reported. */
  fail(what, why, count = 1) {
    this.#counts.failed += count;
    this.#failures.push(`${what}: ${why}`);
  }

  /** Prints the end of the report; returns whether tests ran and none failed. */
  close() {
    const minutes = ((performance.now() - this.#start) / 60000).toFixed(1);
    print(`\nSlowest of ${this.#ran.length}, in ${minutes} minutes together:`);
    for (const line of slowest(this.#ran)) print(line);
    if (this.#failures.length > 0) print('\nFailed:');
    for (const line of this.#failures) print(`  ${line}`);
    print(`\n${closingLine(this.#counts)}`);
    return this.#counts.failed === 0 && this.#counts.passed > 0;
  }

  #line(ok, what, seconds, counts, details) {
    this.#ran.push({ what, seconds });
    const time = `${seconds.toFixed(1)}s`.padStart(7);
    print(`${ok ? 'ok  ' : 'FAIL'} ${time}  ${what}${counts && `  ${counts}`}`);
    if (details) print(details.replace(/^(?=.)/gm, '        ').trimEnd());
  }
}

function print(line) {
  process.stdout.write(`${line}\n`);
}
