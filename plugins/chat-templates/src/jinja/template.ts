// A chat template as a program: Jinja2 as transformers sets it up (its immutable sandbox, trim_blocks,
// lstrip_blocks, loop controls, {% generation %}). Whose messages, and what errors people see, is the
// renderer's business. Not with @huggingface/jinja: an int is a float there, a tuple a list, and what
// Jinja2 refuses it prints (docs/notes/chat-templates.md has the comparison).
import type { RenderedChat } from '@lmflow/sdk';
import { Budget, LIMITS, type Limits } from './budget.ts';
import { parseTemplate } from './parsing/statement-parser.ts';
import type { Statement } from './parsing/nodes.ts';
import { Executor, faultAt } from './running/executor.ts';
import { globalFunctions } from './running/globals.ts';
import { Output } from './running/output.ts';
import { Scope } from './running/scope.ts';
import { toValue } from './values/conversion.ts';
import { Sequence, type Value } from './values/value.ts';

export { JinjaFault } from './fault.ts';

/** How a template is run. */
export interface RunOptions {
  readonly limits?: Limits;
  /** For strftime_now. */
  readonly now?: () => Date;
}

/** A parsed template. */
export class JinjaTemplate {
  private readonly statements: readonly Statement[];
  private readonly hasTags: boolean;

  /** Throws JinjaFault where the source is no Jinja. */
  constructor(source: string) {
    ({ statements: this.statements, hasTags: this.hasTags } = parseTemplate(source));
  }

  /** Throws JinjaFault. The variable `messages` decides which message a tag is about. */
  render(
    variables: Readonly<Record<string, unknown>>,
    { limits = LIMITS, now = () => new Date() }: RunOptions = {},
  ): RenderedChat {
    const budget = new Budget(limits);
    const globals = new Scope();
    for (const [name, value] of globalFunctions(budget, now)) globals.set(name, value);
    const scope = new Scope(globals);
    const messages = new Map<Value, number>();
    let executor: Executor | undefined;
    try {
      for (const [name, given] of Object.entries(variables)) {
        if (given === undefined) continue;
        const value = toValue(given);
        scope.set(name, value);
        if (name !== 'messages' || !(value instanceof Sequence)) continue;
        for (const [index, message] of value.items.entries()) messages.set(message, index);
      }
      executor = new Executor(budget, messages);
      const output = new Output(budget, false);
      executor.run(this.statements, new Scope(scope), output);
      const { hiddenTags } = executor;
      return { text: output.text, hasTags: this.hasTags, hiddenTags, tagged: output.parts };
    } catch (error) {
      throw faultAt(error, executor?.line ?? 1);
    }
  }
}
