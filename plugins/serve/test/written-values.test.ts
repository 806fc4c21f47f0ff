// Tools, calls of the history and calls of answers keep their digits, number forms and order of keys
// on the way through the server.
import { parseJson, stringifyJson } from '@lmflow/sdk';
import { toolCallFormats } from '@lmflow/plugin-chat-templates';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planChat } from '../src/http/chat-endpoint.ts';
import { packJob, unpackJob } from '../src/packed-job.ts';
import { ToolCallSplitter } from '../src/tool-calls.ts';
import { withServer } from './fake.ts';

const VALUES = '{"b":1.0,"user_id":1234567890123456789,"10":1e5,"2":{"z":-0,"1":null}}';
const TOOL = `{"function":{"parameters":{"type":"object","default":${VALUES}},"name":"ban"},"type":"function"}`;
const body = (more = ''): string =>
  `{"model": "fake", "messages": [{"role": "user", "content": "Ban 9007199254740993."}, ` +
  `{"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", ` +
  `"function": {"name": "ban", "arguments": ${JSON.stringify(VALUES)}}}]}, ` +
  `{"role": "tool", "tool_call_id": "c", "content": "ok"}], "tools": [${TOOL}]${more}}`;

test('case tool-arguments-large-integers: history, tools and answers of the server', async () => {
  await withServer({}, async ({ url, generator }) => {
    generator.answer = () => `<tool_call>\n{"name": "ban", "arguments": ${VALUES}}\n</tool_call>`;
    const ask = (more = ''): Promise<Response> =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: body(`, "max_tokens": 200${more}`),
      });
    const response = await ask();
    assert.is(response.status, 200, await response.clone().text());
    const { prompt, tools } = generator.seen[0]!;
    assert.ok(prompt.includes(`"arguments":${VALUES}`), prompt);
    assert.is(stringifyJson(tools), `[${TOOL}]`);
    const { choices } = (await response.json()) as {
      choices: { message: { tool_calls: { function: { arguments: string } }[] } }[];
    };
    assert.is(choices[0]!.message.tool_calls[0]!.function.arguments, VALUES);
    const streamed = await (await ask(', "stream": true')).text();
    assert.ok(streamed.includes(JSON.stringify(VALUES)), streamed);
  });
});

test('every format of calls gives the digits that the model wrote', () => {
  const answers = {
    hermes: `<tool_call>{"name": "ban", "arguments": ${VALUES}}</tool_call>`,
    llama: `{"name": "ban", "parameters": ${VALUES}}`,
    mistral: `[TOOL_CALLS][{"name": "ban", "arguments": ${VALUES}}]`,
  };
  for (const format of toolCallFormats) {
    const text = answers[format.name as keyof typeof answers];
    const splitter = new ToolCallSplitter(format, [
      { type: 'function', function: { name: 'ban' } },
    ]);
    const { calls } = splitter.split({
      kind: 'piece',
      index: 0,
      text,
      tokens: 1,
      finishReason: 'stop',
    });
    assert.is(calls?.[0]?.function.arguments, VALUES, format.name);
  }
});

test('a tool without type gets one; the rest stays in the order it was given', () => {
  const served = {
    find: (id: string) => ({ id, created: 0, contextLength: 64 }),
    requestSettings: [],
  };
  const tools = parseJson(`[${TOOL.replace(',"type":"function"', ',"type":null')}]`);
  const messages = [{ role: 'user', content: 'x' }];
  const [job] = planChat({ model: 'm', tools, messages }, served).jobs;
  const whole = `[{"type":"function",${TOOL.replace(',"type":"function"', '').slice(1)}]`;
  assert.is(stringifyJson(job!.tools), whole);
  const passed = unpackJob(structuredClone(packJob(job!)));
  assert.is(stringifyJson(passed.tools), whole);
  assert.equal(passed, job);
  for (const prompt of ['text', [1, 2]]) {
    assert.equal(unpackJob(structuredClone(packJob({ ...job!, prompt }))).prompt, prompt);
  }
});

test('parameters that are no object, and tools nested beyond reason, are refused', async () => {
  await withServer({}, async ({ url }) => {
    const status = async (text: string): Promise<[number, string]> => {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
      });
      return [response.status, await response.text()];
    };
    for (const parameters of ['[1.0]', '1.0', '"x"']) {
      const tool = `{"type": "function", "function": {"name": "f", "parameters": ${parameters}}}`;
      const [code, text] = await status(body().replace(TOOL, tool));
      assert.is(code, 400);
      assert.ok(text.includes('tools[0].function.parameters'), text);
    }
    const deep = `${'['.repeat(2000)}1.0${']'.repeat(2000)}`;
    const [code, text] = await status(body().replace(VALUES, deep));
    assert.is(code, 400, text);
  });
});

test.run();
