// The plugin in a kernel: the key chatTemplate, and rows of other plugins.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CHAT_TEMPLATES,
  TOOL_CALL_FORMATS,
  definePlugin,
  type LMFlowError,
  type Tokenizer,
} from '@lmflow/sdk';
import { createTestKernel } from 'lmflow/testing';
import chatTemplates, { TEMPLATE_CHOICE, chatTemplateOptions } from '../src/index.ts';

/** Adds the template `arrows`. */
const arrows = definePlugin({
  name: 'lmflow-plugin-arrows',
  version: '1.0.0',
  sdk: '^1.0.0',
  apply(context) {
    context.contribute(CHAT_TEMPLATES, {
      name: 'arrows',
      source: (bos) =>
        `${bos ? '{{ bos_token }}' : ''}{% for m in messages %}{{ '-> ' + m['content'] }}{% endfor %}`,
      markers: ['->'],
    });
  },
});

const tokenizer = (): Tokenizer =>
  ({ chatTemplate: 'own', addsBos: true, tokenToId: () => undefined }) as unknown as Tokenizer;

test('the key is described', () => {
  assert.ok(chatTemplateOptions.shape.chatTemplate.description);
});

test("a template of another plugin is chosen by its name, in place of the tokenizer's own", async () => {
  const { kernel, log } = await createTestKernel({
    plugins: [chatTemplates(), arrows()],
    config: { chatTemplate: 'arrows' },
  });
  const chosen = tokenizer();
  kernel.resolve(TEMPLATE_CHOICE).forTraining(chosen, { conversations: true });
  assert.match(chosen.chatTemplate!, /^\{\{ bos_token \}\}.*-> /);
  assert.is(chosen.chatTemplateOrigin, 'arrows');
  assert.equal(log.texts('info'), ["chat template: arrows, in place of the tokenizer's own"]);
  assert.match(log.texts('warn').join(), /the tokenizer has no token ->/);
  await kernel.close();
});

test('an unknown name is an error that lists the names of all plugins', async () => {
  const { kernel } = await createTestKernel({
    plugins: [chatTemplates(), arrows()],
    config: { chatTemplate: 'arows' },
  });
  assert.throws(
    () => kernel.resolve(TEMPLATE_CHOICE).forTraining(tokenizer(), { conversations: true }),
    (error: LMFlowError) =>
      error.code === 'LMFLOW_DATASET_TEMPLATE_UNKNOWN' &&
      /Did you mean 'arrows'/.test(error.hint ?? '') &&
      /chatml.*arrows/.test(error.message),
  );
  await kernel.close();
});

test('two plugins cannot bring a template of one name', async () => {
  const second = definePlugin({
    name: 'lmflow-plugin-second',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: (context) => context.contribute(CHAT_TEMPLATES, { name: 'chatml', source: 'x' }),
  });
  await createTestKernel({ plugins: [chatTemplates(), second()] }).then(
    () => assert.unreachable(),
    (error: LMFlowError) => {
      assert.is(error.code, 'LMFLOW_ROW_DUPLICATE');
      assert.match(error.message, /chat template "chatml"/);
    },
  );
});

test('the built-in formats of tool calls are rows', async () => {
  let names: readonly string[] = [];
  const reading = definePlugin({
    name: 'reading',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: (context) => {
      context.hooks.onClose.tap(() => {
        names = context.rows(TOOL_CALL_FORMATS).names();
      });
    },
  });
  const { kernel } = await createTestKernel({ plugins: [chatTemplates(), reading()] });
  await kernel.close();
  assert.equal(names, ['hermes', 'mistral', 'llama']);
});

test.run();
