// Messages -> text by a chat template. Which template is in force, and what its variables are, is
// the tokenizer's business.
import type { ChatMessage, LMFlowError, RenderOptions, RenderedChat } from '@lmflow/sdk';
import {
  templateFailed,
  templateInvalid,
  templateTextOnly,
  templateTooMuch,
  templateUnsupported,
} from '../errors.ts';
import { LIMITS, type Limits } from '../jinja/budget.ts';
import { JinjaFault, JinjaTemplate } from '../jinja/template.ts';
import { contentForm, inForm, unprinted, type ContentForm } from './content-form.ts';

/** How to render. */
export interface RenderSettings extends RenderOptions {
  /** What messages call the template: `chatml`, `chat_template.jinja`. */
  readonly name: string;
  /** Its variables bos_token, eos_token, ... */
  readonly specialTokens?: Readonly<Record<string, string>>;
}

/** For two short messages: a template without end must not take its time twice. */
const PROBE_LIMITS: Limits = { ...LIMITS, steps: 500_000, made: 5_000_000 };

interface Template {
  readonly program: JinjaTemplate;
  readonly form: ContentForm;
}

/** Renders chat templates; keeps those that it has parsed. */
export class TemplateRenderer {
  readonly #templates = new Map<string, Template>();

  /** As `renderTagged`, the text alone. */
  render(source: string, messages: readonly ChatMessage[], settings: RenderSettings): string {
    return this.renderTagged(source, messages, settings).text;
  }

  /**
   * The text, and what of it {% generation %} tags mark. Throws LMFLOW_TEMPLATE_INVALID, _FAILED,
   * _UNSUPPORTED, _TOO_MUCH and, where messages have media that the template does not print,
   * LMFLOW_TEMPLATE_TEXT_ONLY; each names the template.
   */
  renderTagged(
    source: string,
    messages: readonly ChatMessage[],
    settings: RenderSettings,
  ): RenderedChat {
    const { program, form } = this.#template(source, settings);
    const media = unprinted(messages, form);
    if (media) throw templateTextOnly(settings.name, media.message, media.type);
    try {
      return program.render(variables(inForm(messages, form), settings));
    } catch (error) {
      const roles = messages.map(({ role }) => role);
      throw coded(error, settings.name) ?? templateFailed(settings.name, roles, error);
    }
  }

  #template(source: string, settings: RenderSettings): Template {
    let template = this.#templates.get(source);
    if (!template) {
      let program: JinjaTemplate;
      try {
        program = new JinjaTemplate(source);
      } catch (error) {
        throw coded(error, settings.name) ?? error;
      }
      const form = contentForm(
        (messages) => program.render(variables(messages, settings), { limits: PROBE_LIMITS }).text,
      );
      this.#templates.set(source, (template = { program, form }));
    }
    return template;
  }
}

/** The error for a fault that does not lie in the messages. */
function coded(error: unknown, name: string): LMFlowError | undefined {
  if (!(error instanceof JinjaFault)) return undefined;
  switch (error.kind) {
    case 'syntax':
      return templateInvalid(name, error.line, error);
    case 'unsupported':
      return templateUnsupported(name, error.line, error);
    case 'budget':
      return templateTooMuch(name, error.line, error);
    case 'runtime':
      return undefined;
  }
}

function variables(
  messages: readonly ChatMessage[],
  { specialTokens, tools, addGenerationPrompt }: RenderSettings,
): Readonly<Record<string, unknown>> {
  return {
    ...specialTokens,
    messages,
    tools: tools ?? null,
    documents: null,
    add_generation_prompt: addGenerationPrompt ?? false,
  };
}
