// The templates of LMFlow's table that reason or call: what they print of a whole conversation, what
// of it is trained (in brackets), and that training has before an answer what generation is given.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ChatMessage } from '@lmflow/sdk';
import { namedTemplates, toolCallFormat, toolCallFormats } from '@lmflow/plugin-chat-templates';
import { file, keepingLog, load, masked, removeFolders, tinyTokenizer } from './kit.ts';

const templates = Object.fromEntries(namedTemplates.map((template) => [template.name, template]));

const TOOL = {
  type: 'function',
  function: {
    name: 'add',
    parameters: { type: 'object', properties: { a: { type: 'integer' } } },
  },
};
const PRINTED =
  '{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}';
const system: ChatMessage = { role: 'system', content: 'Be brief.' };
const user = (content: string): ChatMessage => ({ role: 'user', content });
const said = (content: string, rest: object = {}): ChatMessage => ({
  role: 'assistant',
  content,
  ...rest,
});
const result = (content: string): ChatMessage => ({ role: 'tool', content });
const called = (...values: number[]): object => ({
  tool_calls: values.map((a) => ({
    type: 'function',
    function: { name: 'add', arguments: { a } },
  })),
});

const CHAT = [system, user('hi'), said('yes'), user('more'), said('no')];
const CALLS = [user('hi'), said('So', called(1, 2)), result('3'), result('4'), said('7')];
const REASONS = [
  user('hi'),
  said('<think>\nhm\n</think>\n\nyes'),
  user('more'),
  said('no', { reasoning_content: 'oh' }),
];

const HERMES =
  '# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>\n' +
  PRINTED +
  '\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>';
const QWEN_CHAT =
  '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>]\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n[no<|im_end|>]\n';
const QWEN_CALLED =
  'So\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>\n<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call><|im_end|>';
const qwenCalls = (rules: string, thought = ''): string =>
  `<|im_start|>system\n${rules}<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[${QWEN_CALLED}]\n` +
  `<|im_start|>user\n<tool_response>\n3\n</tool_response>\n<tool_response>\n4\n</tool_response><|im_end|>\n<|im_start|>assistant\n[${thought}7<|im_end|>]\n`;
const DEEPSEEK_CHAT =
  '<s>Be brief.<｜User｜>hi<｜Assistant｜>[yes</s>]<｜User｜>more<｜Assistant｜>[no</s>]';
const deepseekCalls = (opened = ''): string =>
  `<s><｜User｜>hi<｜Assistant｜>${opened}So<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n` +
  '```json\n{"a": 1}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{"a": 2}\n```' +
  '<｜tool▁call▁end｜><｜tool▁calls▁end｜></s>]<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>3<｜tool▁output▁end｜>\n' +
  '<｜tool▁output▁begin｜>4<｜tool▁output▁end｜><｜tool▁outputs▁end｜>[7</s>]';
const THINKING = 'no</s>]';

interface Expected {
  readonly chat: string;
  readonly calls?: string;
  readonly reasons?: string;
  /** How its calls are read again. */
  readonly format?: string;
}

const EXPECTED: Readonly<Record<string, Expected>> = {
  qwen2_5: {
    chat: QWEN_CHAT,
    calls: qwenCalls(
      `You are Qwen, created by Alibaba Cloud. You are a helpful assistant.\n\n${HERMES}`,
    ),
    format: 'hermes',
  },
  qwen2_5_1m: {
    chat: QWEN_CHAT,
    calls: qwenCalls(`You are a helpful assistant.\n\n${HERMES}`),
    format: 'hermes',
  },
  qwen2_5_math: {
    chat: QWEN_CHAT,
    calls: qwenCalls(
      `Please reason step by step, and put your final answer within \\boxed{}.\n\n${HERMES}`,
    ),
    format: 'hermes',
  },
  qwen_qwq: {
    chat: QWEN_CHAT,
    calls: qwenCalls(
      `You are a helpful and harmless assistant. You are Qwen developed by Alibaba. You should think step-by-step.\n\n${HERMES}`,
    ),
    format: 'hermes',
  },
  qwen3: {
    chat: QWEN_CHAT.replace('[no', '[<think>\n\n</think>\n\nno'),
    calls: qwenCalls(HERMES, '<think>\n\n</think>\n\n'),
    reasons:
      '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>]\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n[<think>\noh\n</think>\n\nno<|im_end|>]\n',
    format: 'hermes',
  },
  deepseek_v3: { chat: DEEPSEEK_CHAT, calls: deepseekCalls('[') },
  deepseek_r1: {
    chat: DEEPSEEK_CHAT,
    calls: deepseekCalls('['),
    reasons: `<s><｜User｜>hi<｜Assistant｜>[yes</s>]<｜User｜>more<｜Assistant｜>[<think>\noh\n</think>\n\n${THINKING}`,
  },
  deepseek_r1_distill: {
    chat: DEEPSEEK_CHAT.replace('[no', '<think>\n[\n</think>\n\nno'),
    calls: deepseekCalls('<think>\n[\n</think>\n\n'),
    reasons: `<s><｜User｜>hi<｜Assistant｜>[yes</s>]<｜User｜>more<｜Assistant｜><think>\n[oh\n</think>\n\n${THINKING}`,
  },
  gemma3: {
    chat: '<s><start_of_turn>user\nBe brief.\n\nhi<end_of_turn>\n<start_of_turn>model\n[yes<end_of_turn>]\n<start_of_turn>user\nmore<end_of_turn>\n<start_of_turn>model\n[no<end_of_turn>]\n',
  },
  llama3_for_tool: {
    chat: '<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[yes<|eot_id|>]<|start_header_id|>user<|end_header_id|>\n\nmore<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[no<|eot_id|>]',
    calls:
      `<s><|start_header_id|>system<|end_header_id|>\n\n${PRINTED}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>` +
      '<|start_header_id|>assistant<|end_header_id|>\n\n[So\n{"name": "add", "parameters": {"a": 1}}; {"name": "add", "parameters": {"a": 2}}<|eot_id|>]' +
      '<|start_header_id|>tool<|end_header_id|>\n\n3<|eot_id|><|start_header_id|>tool<|end_header_id|>\n\n4<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[7<|eot_id|>]',
    format: 'llama',
  },
  qwen2_for_tool: {
    chat: QWEN_CHAT,
    calls:
      `<|im_start|>system\n${PRINTED}<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[${QWEN_CALLED}]\n` +
      '<|im_start|>tool\n3<|im_end|>\n<|im_start|>tool\n4<|im_end|>\n<|im_start|>assistant\n[7<|im_end|>]\n',
    format: 'hermes',
  },
  hymba: {
    chat: '<extra_id_0>System\nBe brief.\n\n<extra_id_1>User\nhi\n<extra_id_1>Assistant\n[yes\n]<extra_id_1>User\nmore\n<extra_id_1>Assistant\n[no</s>]',
    calls:
      `<extra_id_0>System\n<tool> ${PRINTED} </tool>\n\n<extra_id_1>User\nhi\n<extra_id_1>Assistant\n` +
      '[So\n<toolcall> {"name": "add", "arguments": {"a": 1}} </toolcall>\n<toolcall> {"name": "add", "arguments": {"a": 2}} </toolcall>\n]' +
      '<extra_id_1>Tool\n3\n<extra_id_1>Tool\n4\n<extra_id_1>Assistant\n[7</s>]',
  },
};

/** A sample of a conversation with its trained parts in brackets, and what was warned of. */
async function trained(
  name: string,
  messages: readonly ChatMessage[],
  tools?: readonly object[],
): Promise<{ text: string; warnings: readonly string[] }> {
  const tokenizer = await tinyTokenizer({
    bos: true,
    special: [...(templates[name]!.markers ?? []), '▁', '｜'],
  });
  const log = keepingLog();
  const { train } = await load(
    {
      dataset: file('c.json', [{ messages, ...(tools ? { tools } : {}) }]),
      chatTemplate: name,
      blockSize: 4096,
    },
    { tokenizer, log, maxPositions: 4096 },
  );
  const warnings = log.lines.filter((line) => /leaves out|begin behind/.test(line));
  return { text: masked(train.get(0), tokenizer), warnings };
}

for (const [name, { chat, calls, reasons, format }] of Object.entries(EXPECTED)) {
  test(`${name}: a system message and two turns`, async () => {
    assert.is((await trained(name, CHAT)).text, chat);
  });
  test(`${name}: calls, results and tools`, async () => {
    const { source } = templates[name]!;
    assert.is(toolCallFormat(toolCallFormats, source as string)?.name, format);
    if (calls === undefined) {
      await assertRejects(() => trained(name, CALLS, [TOOL]));
      return;
    }
    const { text, warnings } = await trained(name, CALLS, [TOOL]);
    assert.is(text, calls);
    // DeepSeek's templates print no tools, and it is said
    const told = name.startsWith('deepseek') ? /leaves out tools/ : /^$/;
    assert.match(warnings.join('\n'), told);
  });
  if (reasons === undefined) continue;
  test(`${name}: the reasoning behind the last question is trained, that before it is cut`, async () => {
    assert.is((await trained(name, REASONS)).text, reasons);
  });
}

async function assertRejects(run: () => Promise<unknown>): Promise<void> {
  await run().then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /user and assistant only/),
  );
}

test('training has before the last answer what generation is given, in every named template', async () => {
  for (const { name, markers = [] } of namedTemplates) {
    const tokenizer = await tinyTokenizer({ bos: true, special: markers });
    const { train } = await load(
      { dataset: file('c.json', [{ messages: CHAT }]), chatTemplate: name, maxTrainSamples: 1 },
      { tokenizer },
    );
    const text = masked(train.get(0), tokenizer);
    const prompt = tokenizer.render(CHAT.slice(0, -1), { addGenerationPrompt: true });
    const before = text.slice(0, text.lastIndexOf('[')).replaceAll(/[[\]]/g, '');
    assert.is(before, prompt.replaceAll(/[[\]]/g, ''), name);
  }
});

test.after(removeFolders);
test.run();
