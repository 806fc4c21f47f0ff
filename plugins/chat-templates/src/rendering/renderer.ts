// Messages -> text by a chat template. Which template is in force, and what its variables are, is
// the tokenizer's business.
import type { ChatMessage, RenderOptions } from '@lmflow/sdk';
import { templateFailed, templateInvalid, templateTextOnly } from '../errors.ts';
import { contentForm, inForm, unprinted, type ContentForm } from './content-form.ts';
import { globals } from './globals.ts';
import { parseTemplate, runTemplate, type Program } from './jinja.ts';

/** How to render. */
export interface RenderSettings extends RenderOptions {
  /** What messages call the template: `chatml`, `chat_template.jinja`. */
  readonly name: string;
  /** Its variables bos_token, eos_token, ... */
  readonly specialTokens?: Readonly<Record<string, string>>;
}

interface Template {
  readonly program: Program;
  readonly form: ContentForm;
}

/** Renders chat templates; keeps those that it has parsed. */
export class TemplateRenderer {
  readonly #templates = new Map<string, Template>();

  /**
   * Throws LMFLOW_TEMPLATE_INVALID, LMFLOW_TEMPLATE_FAILED and, where messages have media that the
   * template does not print, LMFLOW_TEMPLATE_TEXT_ONLY; each names the template.
   */
  render(source: string, messages: readonly ChatMessage[], settings: RenderSettings): string {
    const { program, form } = this.#template(source, settings);
    const media = unprinted(messages, form);
    if (media) throw templateTextOnly(settings.name, media.message, media.type);
    try {
      return runTemplate(program, variables(inForm(messages, form), settings));
    } catch (error) {
      throw templateFailed(
        settings.name,
        messages.map(({ role }) => role),
        error,
      );
    }
  }

  #template(source: string, settings: RenderSettings): Template {
    let template = this.#templates.get(source);
    if (!template) {
      let program: Program;
      try {
        program = parseTemplate(source);
      } catch (error) {
        throw templateInvalid(settings.name, error);
      }
      const form = contentForm((messages) => runTemplate(program, variables(messages, settings)));
      this.#templates.set(source, (template = { program, form }));
    }
    return template;
  }
}

function variables(
  messages: readonly ChatMessage[],
  { specialTokens, tools, addGenerationPrompt }: RenderSettings,
): Readonly<Record<string, unknown>> {
  return {
    ...globals,
    ...specialTokens,
    messages,
    tools: tools ?? null,
    documents: null,
    add_generation_prompt: addGenerationPrompt ?? false,
  };
}
