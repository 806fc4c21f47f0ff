// A real server in a process of its own, and what asks it: for the scripts stress.ts and siege.ts.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { STORIES } from './stories.ts';

const root = resolve(import.meta.dirname, '..', '..', '..');

export interface Question {
  readonly model: string;
  readonly prompt: string;
  readonly tokens: number;
}

/** Starts `lmflow serve` with the model of ../shared on a free port, in a process of its own. */
export function startServer(
  built: boolean,
  flags: readonly string[],
): Promise<{ readonly server: ChildProcess; readonly url: string }> {
  const program = built
    ? [resolve(root, 'kernel/bin/lmflow.mjs')]
    : ['--conditions=lmflow-source', '--import', 'tsx', resolve(root, 'kernel/src/cli.ts')];
  const server = spawn(
    process.execPath,
    [
      ...program,
      'serve',
      '--preset',
      'inference',
      '--model',
      STORIES,
      '--serve-port',
      '0',
      '--json',
      ...flags,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], cwd: root },
  );
  return new Promise((done, fail) => {
    server.once('exit', (code) => {
      fail(new Error(`the server ended with ${code}`));
    });
    server.stdout.setEncoding('utf8').on('data', (text: string) => {
      const url = /"url":"([^"]+)"/.exec(text)?.[1];
      if (url !== undefined) done({ server, url });
    });
  });
}

/** One greedy completion, streamed or whole; throws what is not an answer. */
export async function ask(
  url: string,
  { model, prompt, tokens }: Question,
  stream: boolean,
): Promise<string> {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt, max_tokens: tokens, temperature: 0, stream }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${text}`);
  if (!stream) return (JSON.parse(text) as { choices: { text: string }[] }).choices[0]!.text;
  const lines = text.split('\n\n').filter((line) => line !== '');
  if (lines.pop() !== 'data: [DONE]') throw new Error('a stream without its end');
  return lines
    .map((line) => (JSON.parse(line.slice(6)) as { choices: { text: string }[] }).choices[0]!.text)
    .join('');
}

/** Resident memory in MB; `RssAnon` without what is mapped from files. */
export function resident(server: ChildProcess, kind: 'VmRSS' | 'RssAnon' = 'VmRSS'): number {
  return (
    Number(
      new RegExp(`${kind}:\\s+(\\d+)`).exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1],
    ) / 1024
  );
}
