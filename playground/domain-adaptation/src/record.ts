// Runs the demo and draws what its terminal showed, with the times at which it did, as an SVG: long
// waits are shortened, nothing else is changed.
//   npm run record -- [FILE.svg] [flags of the demo]
import { spawn } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolder } from '@lmflow/sdk/files';
import { terminalPicture, type ShownLine } from './terminal-picture.ts';

const [picture = '../../docs/images/demo.svg', ...flags] = process.argv.slice(2);
const demo = fileURLToPath(new URL('demo.ts', import.meta.url));
const started = Date.now();
const lines: ShownLine[] = [{ text: '$ npm run demo', seconds: 0 }];
const child = spawn(process.execPath, ['--import', 'tsx', demo, ...flags], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
let rest = '';
child.stdout.setEncoding('utf8').on('data', (text: string) => {
  process.stdout.write(text);
  const seconds = (Date.now() - started) / 1000;
  const parts = (rest + text).split('\n');
  rest = parts.pop()!;
  for (const line of parts) lines.push({ text: line, seconds });
});
const code = await new Promise<number | null>((resolve, reject) => {
  child.once('error', reject).once('close', resolve);
});
if (code !== 0) throw new Error(`the demo ended with ${code}`);
await makeFolder(dirname(picture));
writeFileSync(picture, terminalPicture(lines));
const curve = join(dirname(picture), 'demo-loss.svg');
copyFileSync('work/adapter/training_loss.svg', curve);
console.log(`\n${picture}\n${curve}`);
