// Prompts of a file: messages whose calls are as templates take them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { isLMFlowError, stringifyJson } from '@lmflow/sdk';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { collectPrompts, type Prompt } from '../src/commands/prompts.ts';

const folder = mkdtempSync(join(tmpdir(), 'lmflow-prompts-test-'));

function read(name: string, content: string): Promise<Prompt[]> {
  const file = join(folder, name);
  writeFileSync(file, content);
  return collectPrompts({
    positionals: [],
    file,
    input: Object.assign(Readable.from([]), { isTTY: true }),
  });
}

const record = (values: string, content = 'null'): string =>
  `{"messages": [{"role": "user", "content": "Go."}, {"role": "assistant", "content": ${content}, ` +
  `"tool_calls": [{"id": "c", "function": {"name": "ban", "arguments": ${values}}}]}]}`;

test('calls of a prompt file keep their digits, as objects', async () => {
  const values = '{"b":1.0,"id":1234567890123456789,"10":1e5}';
  const expected = `[{"id":"c","function":{"name":"ban","arguments":${values}}}]`;
  for (const given of [values, JSON.stringify(values)]) {
    for (const [name, text] of [
      ['p.jsonl', record(given)],
      ['p.json', `[${record(given, '""')}]`],
    ] as const) {
      const [prompt] = await read(name, text);
      const call = (prompt as Exclude<Prompt, string>)[1]!;
      assert.is(call.content, '');
      assert.is(stringifyJson(call['tool_calls']), expected);
    }
  }
  const [prompt] = await read('p.jsonl', record('""'));
  assert.match(stringifyJson(prompt)!, /"arguments":\{\}/);
});

test('arguments that are no JSON object are an error that names the line', async () => {
  for (const values of ['"{city: Oslo}"', '[1]', '1.0']) {
    try {
      await read('p.jsonl', `"first"\n${record(values)}`);
      assert.unreachable();
    } catch (error) {
      if (!isLMFlowError(error)) throw error;
      assert.is(error.code, 'LMFLOW_GENERATE_PROMPTS_INVALID');
      assert.match(error.message, /line 2 has a call whose arguments are no JSON object/);
    }
  }
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
