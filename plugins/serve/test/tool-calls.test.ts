// Tool calls of a chat: taken out of the pieces of an answer, and written as OpenAI's API does.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { setTimeout } from 'node:timers/promises';
import chatTemplates, { toolCallFormats } from '@lmflow/plugin-chat-templates';
import serve from '@lmflow/plugin-serve';
import {
  GENERATOR,
  MODELS,
  SCORER,
  TOOL_CALL_FORMATS,
  definePlugin,
  type ToolCallFormat,
} from '@lmflow/sdk';
import { createTestKernel } from 'lmflow/testing';
import { planChat } from '../src/http/chat-endpoint.ts';
import type { PieceEvent } from '../src/thread-messages.ts';
import { ToolCallSplitter } from '../src/tool-calls.ts';
import { FakeGenerator, fakeModel, fakeScorer } from './fake.ts';

test('a chat answer with them: no content, finish_reason tool_calls', () => {
  const tools = [{ type: 'function', function: { name: 'weather' } }];
  const plan = planChat(
    { model: 'm', tools, messages: [{ role: 'user', content: 'rain?' }] },
    { find: (id) => ({ id, created: 0, contextLength: 64 }), requestSettings: [] },
  );
  const format = toolCallFormats.find(({ name }) => name === 'llama')!;
  const splitter = new ToolCallSplitter(format, plan.jobs[0]!.tools!);
  const pieces: PieceEvent[] = [
    { kind: 'piece', index: 0, text: '{"name": "weather", ', tokens: 1 },
    {
      kind: 'piece',
      index: 0,
      text: '"parameters": {"city": "Ulm"}}',
      tokens: 1,
      finishReason: 'stop',
    },
  ];
  for (const piece of pieces) plan.answer.piece(0, splitter.split(piece));
  const { choices } = plan.answer.whole({
    prompt_tokens: 1,
    completion_tokens: 2,
    total_tokens: 3,
  }) as {
    choices: {
      message: { content: unknown; tool_calls: { function: object }[] };
      finish_reason: string;
    }[];
  };
  assert.equal(
    [
      choices[0]!.message.content,
      choices[0]!.message.tool_calls.map((call) => call.function),
      choices[0]!.finish_reason,
    ],
    [null, [{ name: 'weather', arguments: '{"city":"Ulm"}' }], 'tool_calls'],
  );
});

/** A plugin's own way of writing calls: `@weather {...}`, and nothing else. */
const mentions: ToolCallFormat = {
  name: 'mentions',
  description: '@name and JSON',
  matches: (template) => template.includes('MENTIONS'),
  reader: (functions) => {
    let text = '';
    let called = false;
    return {
      get called() {
        return called;
      },
      push(piece, last) {
        text += piece;
        const [, name, json] = (last && /^@(\w+) (.*)$/.exec(text)) || [];
        called = name !== undefined && functions.has(name);
        if (!called) return { text: last ? text : '', calls: [] };
        const call = { name: name!, arguments: json! };
        return { text: '', calls: [{ id: 'call_1', type: 'function', function: call }] };
      },
    };
  },
};

test('a format that another plugin contributes is read by lmflow serve', async () => {
  const generator = new FakeGenerator();
  generator.answer = () => '@weather {"city":"Ulm"}';
  const fakes = definePlugin({
    name: 'fakes',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply(context) {
      context.provide(GENERATOR, () => generator);
      context.provide(SCORER, () => fakeScorer);
      context.provide(MODELS, () => ({ load: async () => fakeModel('MENTIONS of tools') }));
      context.contribute(TOOL_CALL_FORMATS, mentions);
    },
  });
  const { kernel, log } = await createTestKernel({
    plugins: [chatTemplates, fakes, serve],
    flags: ['--serve-port', '0', '--model', 'tiny'],
  });
  const controller = new AbortController();
  const run = kernel.run('serve', { signal: controller.signal });
  for (let tries = 0; tries < 500 && log.texts('event').length === 0; tries++) {
    await setTimeout(10);
  }
  const { url } = log.said.find(({ data }) => data?.['type'] === 'serving')!.data as {
    url: string;
  };
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'tiny',
      messages: [{ role: 'user', content: 'rain?' }],
      tools: [{ type: 'function', function: { name: 'weather' } }],
    }),
  });
  const { choices } = (await response.json()) as {
    choices: { finish_reason: string; message: { tool_calls: { function: object }[] } }[];
  };
  controller.abort();
  await run;
  await kernel.close();
  assert.is(choices[0]!.finish_reason, 'tool_calls');
  assert.equal(choices[0]!.message.tool_calls[0]!.function, {
    name: 'weather',
    arguments: '{"city":"Ulm"}',
  });
});

test.run();
