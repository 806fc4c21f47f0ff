// Runs npm scripts one after the other, shows what they print, and ends with the sum of their
// closing lines: npm run test:all is node test/all.mjs test test:slow.
import { spawn } from 'node:child_process';
import { npm } from './runner/execute.mjs';
import { closingLine, sum } from './runner/report.mjs';

const runs = [];
for (const script of process.argv.slice(2)) runs.push(await shown(script));
const counts = sum(runs);
process.stdout.write(`\n${closingLine(counts)}\n`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;

function shown(script) {
  const [command, args] = npm(['run', '--silent', script]);
  process.stdout.write(`npm run ${script}\n`);
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on('error', (error) => resolve({ code: 1, output: `${error}` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
