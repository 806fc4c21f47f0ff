// Tool arguments and schemas are trained as they stand in the file: digits, number forms, the order
// of keys; no key that only the table format filled in.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { all, failure, file, load, masked, removeFolders, tinyTokenizer } from './kit.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** The samples of a data set with what is trained in brackets, rendered by a template of a case. */
async function trained(
  dataset: unknown,
  template = 'parquet-null-filled-tools',
): Promise<readonly string[]> {
  const tokenizer = await tinyTokenizer({
    chatTemplate: readFileSync(fixture(`${template}/template.jinja`), 'utf8'),
    special: ['<s>', '</s>'],
  });
  const { train } = await load({ dataset, blockSize: 2048 }, { tokenizer, maxPositions: 4096 });
  return all(train).map((sample) => masked(sample, tokenizer));
}

const call = (values: string): string =>
  `[<tool_call>\n{"name": "ban", "arguments": ${values}}\n</tool_call></s>]`;

test('case tool-arguments-large-integers: the digits of the file are trained', async () => {
  const name = 'tool-arguments-large-integers';
  const [first, second] = await trained(fixture(`${name}/data.jsonl`), name);
  assert.ok(first!.endsWith(call('{"user_id": 1234567890123456789}')), first);
  assert.ok(second!.endsWith(call('{"user_id": 9007199254740993}')), second);
  const [shared] = await trained(fixture(`${name}/sharegpt.jsonl`), name);
  assert.ok(shared!.includes(call('{"user_id": 1234567890123456789}')), shared);
});

/** Arguments and schemas that JavaScript's JSON changes; the right value is the text itself. */
const WRITTEN = [
  '{"limit": 1.0, "rate": 1e5, "share": 0.10, "big": 1E+25}',
  '{"zero": -0, "float": -0.0, "least": -9223372036854775808, "most": 18446744073709551615}',
  '{"b": 1, "10": 2, "a": {"2": [1.0, {"z": null, "0": true}], "1": "x"}}',
  '{"b": "</s> ends a turn", "10": 1.0}',
  '{"text": "1.0 and 12345678901234567890", "deep": [[[9007199254740993]]]}',
];

/** A record with these arguments and with this default in the schema of a tool. */
const records = (values: string, asText: boolean): string => {
  const given = asText ? JSON.stringify(values) : values;
  const called = `{"id": "c", "type": "function", "function": {"name": "ban", "arguments": ${given}}}`;
  const tool = `{"type": "function", "function": {"name": "ban", "default": ${values}}}`;
  return (
    `{"messages": [{"role": "user", "content": "Go."}, {"role": "assistant", "content": "", ` +
    `"tool_calls": [${called}]}], "tools": ${asText ? JSON.stringify(`[${tool}]`) : `[${tool}]`}}`
  );
};

test('numbers and the order of keys survive every file format, in arguments and in schemas', async () => {
  for (const values of WRITTEN) {
    const cells = JSON.parse(records(values, true)) as { messages: unknown; tools: string };
    const csv = [JSON.stringify(cells.messages), cells.tools]
      .map((cell) => `"${cell.replaceAll('"', '""')}"`)
      .join(',');
    const shared = JSON.stringify({
      conversations: [
        { from: 'human', value: 'Go.' },
        { from: 'function_call', value: `{"name": "ban", "arguments": ${values}}` },
      ],
      tools: cells.tools,
    });
    const columns = parquetWriteBuffer({
      columnData: [
        { name: 'messages', data: [JSON.stringify(cells.messages)], type: 'STRING' },
        { name: 'tools', data: [cells.tools], type: 'STRING' },
      ],
    });
    const files = {
      'object.jsonl': records(values, false),
      'text.jsonl': records(values, true),
      'list.json': `[\n${records(values, false)}\n]`,
      'wrapped.json': `{"type": "conversation", "instances": [${records(values, false)}]}`,
      'sharegpt.json': `[${shared}]`,
      'cells.csv': `messages,tools\n${csv}\n`,
      'texts.parquet': new Uint8Array(columns),
    };
    for (const [name, content] of Object.entries(files)) {
      const [text] = await trained(file(name, content));
      assert.ok(text!.endsWith(call(values)), `${name}: ${text}`);
      assert.ok(text!.includes(`"name": "ban", "default": ${values}`), `${name}: ${text}`);
    }
  }
});

test('a template without tool calls gets the same digits as text', async () => {
  const tokenizer = await tinyTokenizer({ special: ['<|im_start|>', '<|im_end|>'] });
  const dataset = file('d.jsonl', records('{"id": 1234567890123456789, "f": 1.0}', false));
  const { train } = await load({ dataset, chatTemplate: 'chatml' }, { tokenizer });
  assert.match(
    masked(train.get(0), tokenizer),
    /\[\{"name":"ban","arguments":\{"id":1234567890123456789,"f":1\.0\}\}<\|im_end\|>\]/,
  );
});

test('case tool-arguments-not-json: an empty text is no arguments, other texts are an error', async () => {
  const name = 'tool-arguments-not-json';
  const [first, second] = readFileSync(fixture(`${name}/data.jsonl`), 'utf8').split('\n');
  const [text] = await trained(file('empty.jsonl', first!), name);
  assert.ok(text!.includes('{"name": "now", "arguments": {}}'), text);
  const error = await failure(() => trained(fixture(`${name}/data.jsonl`), name));
  assert.is(error.code, 'LMFLOW_DATASET_RECORD');
  assert.match(error.message, /data\.jsonl, line 2/);
  assert.match(error.message, /'messages\[1\]\.tool_calls\[0\]\.function\.arguments'/);
  assert.ok(second!.includes('{city: Oslo}'));
});

test('arguments, calls and tools of another kind are errors that name the key', async () => {
  const withArguments = (values: unknown): unknown => ({
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: values } }] },
    ],
  });
  const called = (value: string): unknown => ({
    conversations: [
      { from: 'human', value: 'Hi' },
      { from: 'function_call', value },
    ],
  });
  const answered = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Yo' },
  ];
  const key = "'messages[1].tool_calls[0].function.arguments'";
  const wrong: readonly (readonly [record: unknown, key: string])[] = [
    [withArguments('[1]'), key],
    [withArguments([1]), key],
    [withArguments('null'), key],
    [withArguments(7), key],
    [withArguments('1.0'), key],
    [called('{"name": "f", "arguments": "{city: Oslo}"}'), "'conversations[1].value'"],
    [called('{"name": "f", "arguments": [1]}'), "'conversations[1].value'"],
    [{ messages: answered, tools: ['a tool'] }, "'tools[0]'"],
    [{ messages: answered, tools: [{ name: 'f' }, 1] }, "'tools[1]'"],
  ];
  for (const [record, place] of wrong) {
    const error = await failure(() => trained(file('d.jsonl', record)));
    assert.is(error.code, 'LMFLOW_DATASET_RECORD');
    assert.ok(error.message.includes(place), error.message);
  }
  for (const record of [withArguments(''), withArguments(null), withArguments(' ')]) {
    const [text] = await trained(file('d.jsonl', record));
    assert.ok(text!.includes('"arguments": {}'), text);
  }
  for (const value of ['{"name": "f"}', '{"name": "f", "arguments": ""}']) {
    const [text] = await trained(file('d.jsonl', called(value)));
    assert.ok(text!.includes('{"name": "f", "arguments": {}}'), text);
  }
  const [several] = await trained(file('d.jsonl', called('[{"name": "f"}, {"name": "g"}]')));
  assert.ok(several!.includes('"f", "arguments": {}') && several!.includes('"g", "arguments": {}'));
});

test('case parquet-null-filled-tools: keys of other rows are gone', async () => {
  const name = 'parquet-null-filled-tools';
  const [text] = await trained(fixture(`${name}/data.parquet`), name);
  const schema = (tool: string, key: string): string =>
    `{"type": "function", "function": {"name": "${tool}", "parameters": {"type": "object", ` +
    `"properties": {"${key}": {"type": "string"}}}}}`;
  assert.ok(text!.includes(`${schema('weather', 'city')}\n${schema('stock', 'symbol')}\n`), text);
  assert.ok(text!.includes('{"name": "weather", "arguments": {"city": "Oslo"}}'), text);
  assert.not.ok(text!.includes('null'), text);
});

test('columns of Parquet keep 64-bit digits and floats, in structs, lists and maps', async () => {
  const element = (name: string, rest: object): object => ({
    name,
    repetition_type: 'OPTIONAL',
    ...rest,
  });
  const list = (name: string, item: object[], inside: number): object[] => [
    element(name, { num_children: 1, converted_type: 'LIST' }),
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    element('element', { num_children: inside }),
    ...item,
  ];
  const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8' };
  const schema = [
    { name: 'root', num_children: 1 },
    ...list(
      'messages',
      [
        element('role', text),
        element('content', text),
        ...list(
          'tool_calls',
          [
            element('function', { num_children: 2 }),
            element('name', text),
            element('arguments', { num_children: 5 }),
            element('id', { type: 'INT64' }),
            element('rate', { type: 'DOUBLE' }),
            element('count', { type: 'INT32' }),
            element('10', { type: 'DOUBLE' }),
            element('b', text),
          ],
          1,
        ),
      ],
      3,
    ),
  ];
  const messages = [
    { role: 'user', content: 'Go.' },
    {
      role: 'assistant',
      tool_calls: [
        { function: { name: 'ban', arguments: { id: 1234567890123456789n, rate: 1, count: 1 } } },
        { function: { name: 'ban', arguments: { id: 7n, rate: 0.5, 10: 1e20, b: 'x' } } },
      ],
    },
  ];
  const buffer = parquetWriteBuffer({
    schema: schema as never,
    columnData: [{ name: 'messages', data: [messages] }],
  });
  const [trainedText] = await trained(file('d.parquet', new Uint8Array(buffer)));
  assert.ok(trainedText!.includes('{"id": 1234567890123456789, "rate": 1.0, "count": 1}'));
  assert.ok(trainedText!.includes('{"id": 7, "rate": 0.5, "10": 1e+20, "b": "x"}'), trainedText);
});

test('a null that stands in JSON is the author’s and stays', async () => {
  const [text] = await trained(file('d.jsonl', records('{"city": "Oslo", "symbol": null}', false)));
  assert.ok(text!.includes(call('{"city": "Oslo", "symbol": null}')), text);
});

test.after(removeFolders);
test.run();
