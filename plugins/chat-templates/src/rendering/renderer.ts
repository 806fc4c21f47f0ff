// Messages -> text by a chat template. Which template is in force, and what its variables are, is
// the tokenizer's business.
import type { ChatMessage, RenderOptions } from '@lmflow/sdk';
import { templateFailed, templateInvalid } from '../errors.ts';
import { globals } from './globals.ts';
import { parseTemplate, runTemplate, type Program } from './jinja.ts';

/** How to render. */
export interface RenderSettings extends RenderOptions {
  /** What messages call the template: `chatml`, `chat_template.jinja`. */
  readonly name: string;
  /** Its variables bos_token, eos_token, ... */
  readonly specialTokens?: Readonly<Record<string, string>>;
}

/** Renders chat templates; keeps those that it has parsed. */
export class TemplateRenderer {
  readonly #programs = new Map<string, Program>();

  /** Throws LMFLOW_TEMPLATE_INVALID and LMFLOW_TEMPLATE_FAILED, naming the template. */
  render(source: string, messages: readonly ChatMessage[], settings: RenderSettings): string {
    const program = this.#program(source, settings.name);
    const variables = {
      ...globals,
      ...settings.specialTokens,
      messages,
      tools: settings.tools ?? null,
      documents: null,
      add_generation_prompt: settings.addGenerationPrompt ?? false,
    };
    try {
      return runTemplate(program, variables);
    } catch (error) {
      throw templateFailed(
        settings.name,
        messages.map(({ role }) => role),
        error,
      );
    }
  }

  #program(source: string, name: string): Program {
    let program = this.#programs.get(source);
    if (!program) {
      try {
        program = parseTemplate(source);
      } catch (error) {
        throw templateInvalid(name, error);
      }
      this.#programs.set(source, program);
    }
    return program;
  }
}
