// A folder as a user would have it: a tiny model to be trained from scratch, its tokenizer, and
// data; and ways to run `lmflow` in it.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const cli = resolve(import.meta.dirname, '../../kernel/src/cli.ts');
const node = [
  '--conditions=lmflow-source',
  '--import',
  resolve(import.meta.dirname, '../../node_modules/tsx/dist/esm/index.mjs'),
];
const WORDS =
  'what is a cat dog bird fish animal that barks sings swims sleeps big small red blue house tree sees the and'.split(
    ' ',
  );

/**
 * A new folder with model/ (config and tokenizer only) and data.json (alpaca pairs of different
 * lengths).
 */
export function project(pairs = 48): string {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-project-'));
  const write = (file: string, value: unknown): void => {
    writeFileSync(join(folder, file), JSON.stringify(value));
  };
  mkdirSync(join(folder, 'model'));
  write('model/config.json', {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: WORDS.length + 2,
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    hidden_act: 'silu',
    initializer_range: 0.1,
  });
  const vocab = Object.fromEntries(['<unk>', '</s>', ...WORDS].map((word, id) => [word, id]));
  write('model/tokenizer.json', {
    version: '1.0',
    truncation: null,
    padding: null,
    normalizer: null,
    post_processor: null,
    decoder: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    added_tokens: [
      {
        id: 1,
        content: '</s>',
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    model: { type: 'WordLevel', vocab, unk_token: '<unk>' },
  });
  write('model/tokenizer_config.json', { eos_token: '</s>', unk_token: '<unk>' });
  const pick = (index: number): string => WORDS[(index * 7 + 3) % WORDS.length]!;
  write(
    'data.json',
    Array.from({ length: pairs }, (_, index) => ({
      instruction: `what is a ${pick(index)}`,
      output: Array.from({ length: 3 + ((index * 5) % 17) }, (__, place) =>
        pick(index + place),
      ).join(' '),
    })),
  );
  return folder;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}

/** Starts `lmflow` in a folder. */
export function start(
  folder: string,
  args: readonly string[],
): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [...node, cli, ...args], {
    cwd: folder,
    env: { ...process.env, LMFLOW_CACHE: join(folder, '.cache'), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    output += data.toString();
  });
  return {
    child,
    ended: new Promise((done) =>
      child.on('close', (code, signal) => {
        done({ code, signal, output });
      }),
    ),
  };
}

/** Runs `lmflow` to its end; throws with what it printed where it fails. */
export async function lmflow(folder: string, args: readonly string[]): Promise<string> {
  const { code, output } = await start(folder, args).ended;
  if (code !== 0) throw new Error(`lmflow ${args.join(' ')} ended with code ${code}:\n${output}`);
  return output;
}
