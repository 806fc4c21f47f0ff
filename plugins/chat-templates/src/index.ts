// Chat templates: rendering, the table of named ones and which of them is in force, the spans of
// trained text in what they print, and the ways of writing tool calls.
import { CHAT_TEMPLATES, TOOL_CALL_FORMATS, definePlugin, token } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { TemplateChoice } from './template-choice.ts';
import { optionsSchema } from './options.ts';
import { namedTemplates } from './named/named-templates.ts';
import { toolCallFormats } from './tool-calls/formats.ts';
import manifest from '../package.json' with { type: 'json' };

export { TemplateChoice, templateName, type ChoiceContext } from './template-choice.ts';
export { optionsSchema as chatTemplateOptions } from './options.ts';
export { TemplateRenderer, type RenderSettings } from './rendering/renderer.ts';
export {
  anyOf,
  plainContent,
  type PlainContent,
  type PlainText,
  type TemplateInput,
} from './rendering/plain-content.ts';
export type { Conversation, Span } from './spans/answer-search.ts';
export { SpanError, SpanFinder, type RenderedConversation } from './spans/span-finder.ts';
export { SpecialTokens } from './spans/special-tokens.ts';
export { namedTemplates } from './named/named-templates.ts';
export { PrintCheck, type MissingKind, type MissingPart } from './printed/print-check.ts';
export { REASONING_KEYS } from './printed/answer-parts.ts';
export { callsAsText, printsCalls } from './tool-calls/calls-as-text.ts';
export { toolCallFormat, toolCallFormats } from './tool-calls/formats.ts';

/** Sets the chat template that is wanted, or a fallback, on tokenizers. */
export const TEMPLATE_CHOICE = token<TemplateChoice>('@lmflow/plugin-chat-templates:choice');

const name = '@lmflow/plugin-chat-templates';

const chatTemplates = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  options: { schema: optionsSchema },
  apply(context) {
    const { hooks, log, resolve } = context;
    for (const template of namedTemplates) context.contribute(CHAT_TEMPLATES, template);
    for (const format of toolCallFormats) context.contribute(TOOL_CALL_FORMATS, format);
    context.provide(
      TEMPLATE_CHOICE,
      () =>
        new TemplateChoice({
          wanted: context.options.chatTemplate,
          templates: context.rows(CHAT_TEMPLATES),
          log,
        }),
    );
    // adapters come with templates of their own in between
    const own = new WeakMap<Model, string>();
    hooks.onModelLoad.tap('shape', (model) => {
      model.tokenizer.specialTokensInText = context.options.specialTokensInText;
      if (model.tokenizer.chatTemplate !== undefined) own.set(model, model.tokenizer.chatTemplate);
    });
    // for training the data decide too: plugin datasets asks for the choice
    hooks.onModelLoad.tap('parameters', (model, { purpose }) => {
      if (purpose === 'inference') resolve(TEMPLATE_CHOICE).forInference(model, own.get(model));
    });
  },
});

export default chatTemplates;
