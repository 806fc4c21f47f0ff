// The conversation in the terminal, with lines piped in; the command generate; what is dropped
// where the context is full.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isLMFlowError, type ChatMessage } from '@lmflow/sdk';
import { captureLog, createTestKernel } from 'lmflow/testing';
import inference from '@lmflow/preset-inference';
import { runChat } from '../src/commands/chat.ts';
import { Conversation } from '../src/commands/conversation.ts';
import { hasStories, STORIES, withModel } from './support.ts';

const template =
  "{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }} {% endfor %}";

test('a conversation drops its oldest turns and keeps system message and last question', async () => {
  const conversation = new Conversation('be brief');
  for (const turn of ['a', 'b', 'c']) {
    conversation.add('user', turn);
    conversation.add('assistant', turn.toUpperCase());
  }
  conversation.add('user', 'd');
  assert.is(await conversation.shorten(async (messages) => messages.length <= 4), 4);
  assert.equal(
    conversation.messages.map(({ content }) => content),
    ['be brief', 'c', 'C', 'd'],
  );
  assert.is(await conversation.shorten(async () => false), 2);
  assert.equal(
    conversation.messages.map(({ content }) => content),
    ['be brief', 'd'],
  );
});

if (hasStories()) {
  test('chat: answers, commands, a full context', () =>
    withModel(STORIES, {}, async ({ generator, model }) => {
      model.tokenizer.chatTemplate = template;
      const log = captureLog();
      const file = join(mkdtempSync(join(tmpdir(), 'lmflow-chat-')), 'saved.json');
      const output = new PassThrough();
      const lines = [
        '/system You are a cat',
        'Hello',
        'And then?',
        `/save ${file}`,
        '/reset',
        'Lily '.repeat(60),
        'Tom '.repeat(60),
        '/nonsense',
        '/exit',
        'never asked',
      ];
      await runChat({
        generator,
        model,
        log,
        output,
        input: Readable.from(lines.map((line) => `${line}\n`)),
        system: undefined,
        contextLength: 200,
        options: { maxNewTokens: 12 },
        signal: new AbortController().signal,
      });
      const saved = JSON.parse(readFileSync(file, 'utf8')) as {
        messages: { role: string; content: string }[];
      };
      assert.equal(
        saved.messages.map(({ role }) => role),
        ['system', 'user', 'assistant', 'user', 'assistant'],
      );
      const said = (output.read() as Buffer).toString();
      assert.ok(said.startsWith(saved.messages[2]!.content));
      assert.match(log.texts('warn').join(), /the oldest 2 messages are left out/);
      assert.is(log.said.filter(({ data }) => data?.['type'] === 'chat').length, 4);
      assert.match(log.texts('event')[0]!, /12 tokens, [\d.]+ tokens\/s/);
    }));

  test('lmflow chat: a model without a template is told before anything is typed', async () => {
    const { kernel } = await createTestKernel({ presets: [inference], config: { model: STORIES } });
    try {
      const error = await kernel.run('chat').then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(isLMFlowError(error));
      assert.is(error.code, 'LMFLOW_TEMPLATE_MISSING');
      assert.match(error.hint!, /--chat-template/);
    } finally {
      await kernel.close();
    }
  });

  test('a prompt of messages: text parts are their text, an image is refused', () =>
    withModel(STORIES, {}, async ({ generator, model }) => {
      model.tokenizer.chatTemplate = template;
      const ids = async (content: ChatMessage['content']): Promise<number[]> => [
        ...(await generator.encodePrompt({ model, prompt: [{ role: 'user', content }] })),
      ];
      const lily = { type: 'text', text: 'Lily' };
      assert.equal(await ids([lily, { type: 'text', text: ' sat.' }]), await ids('Lily sat.'));
      const refused: unknown = await ids([lily, { type: 'image', path: 'a.png' }]).catch(
        (error: unknown) => error,
      );
      assert.ok(isLMFlowError(refused) && refused.code === 'LMFLOW_GENERATE_MEDIA');
    }));

  test('special tokens in a message are text, with specialTokensInText they are tokens', async () => {
    const ends = (config: Record<string, unknown>): Promise<number> =>
      withModel(STORIES, config, async ({ generator, model }) => {
        model.tokenizer.chatTemplate = template;
        const prompt = [{ role: 'user', content: 'What is </s>?' }];
        const ids = await generator.encodePrompt({ model, prompt });
        return ids.filter((id) => id === model.tokenizer.eosId).length;
      });
    const plain = await ends({});
    assert.is(await ends({ specialTokensInText: true }), plain + 1);
  });

  test('lmflow generate: a file of prompts, lines of JSON out', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lmflow-generate-'));
    const [prompts, output] = [join(folder, 'prompts.jsonl'), join(folder, 'answers.jsonl')];
    writeFileSync(
      prompts,
      '"Once upon a time"\n{"prompt":"Lily"}\n\n{"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}\n',
    );
    const { kernel } = await createTestKernel({
      presets: [inference],
      config: { model: STORIES, chatTemplate: template, generate: { maxNewTokens: 9 } },
    });
    try {
      const { exitCode } = await kernel.run('generate', {
        options: { prompts, output, format: 'jsonl' },
        positionals: [],
      });
      assert.is(exitCode, 0);
      const rows = readFileSync(output, 'utf8')
        .trim()
        .split('\n')
        .map(
          (line) =>
            JSON.parse(line) as {
              prompt?: string;
              messages?: unknown;
              text: string;
              newTokens: number;
            },
        );
      assert.equal(
        rows.map(({ prompt }) => prompt),
        ['Once upon a time', 'Lily', undefined],
      );
      assert.ok(rows[0]!.text.startsWith(', there was'));
      assert.equal(
        rows.map(({ newTokens }) => newTokens),
        [9, 9, 9],
      );
      const short = await kernel.run('generate', {
        options: { maxTokens: 2, output },
        positionals: ['Lily'],
      });
      assert.is(short.result[0]![0]!.ids.length, 2, "vLLM's name");
      for (const [options, code, wanted] of [
        [
          { output: join(folder, 'missing', 'answers.txt') },
          'LMFLOW_OUTPUT_UNWRITABLE',
          /missing.*ENOENT/,
        ],
        [
          { prompts: join(folder, 'missing.txt') },
          'LMFLOW_GENERATE_PROMPTS_INVALID',
          /there is no file .*missing.txt/,
        ],
        [{ system: 'be brief' }, 'LMFLOW_GENERATE_OPTION_INVALID', /--chat/],
        [{ logprobs: 2 }, 'LMFLOW_GENERATE_OPTION_INVALID', /--logprobs is set with --format text/],
        [{ stream: true, numBeams: 2 }, 'LMFLOW_GENERATE_OPTION_INVALID', /without beams/],
        [{ maxLength: 20 }, 'LMFLOW_OPTION_UNSUPPORTED', /maxNewTokens/],
      ] as const) {
        const error = await kernel.run('generate', { options, positionals: ['Lily'] }).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        assert.ok(isLMFlowError(error), JSON.stringify(options));
        assert.is(error.code, code);
        assert.match(error.message, wanted);
      }
    } finally {
      await kernel.close();
    }
  });
}

test.run();
