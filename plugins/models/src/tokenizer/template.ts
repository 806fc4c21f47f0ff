// Chat templates: Jinja as transformers runs it (trim_blocks, lstrip_blocks, raise_exception,
// strftime_now, tojson without escapes).
import * as jinja from '@huggingface/jinja';
import type { ChatMessage, RenderOptions } from '@lmflow/sdk';
import { templateFailed, templateInvalid } from './errors.ts';

type Program = { readonly type: 'Program' };

// The library's declarations import each other without extensions, which does not resolve here: the
// part that is used, in its place.
const { Environment, Interpreter, parse, tokenize } = jinja as unknown as {
  Environment: new () => { set(name: string, value: unknown): void };
  Interpreter: new (environment: unknown) => { run(program: Program): { readonly value: string } };
  parse: (tokens: unknown) => Program;
  tokenize: (
    source: string,
    options: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean },
  ) => unknown;
};

/** A parsed template. */
export class ChatTemplate {
  readonly #program: Program;

  /** Throws LMFLOW_TEMPLATE_INVALID; `origin` says where the template is from. */
  constructor(
    readonly source: string,
    readonly origin: string,
  ) {
    try {
      this.#program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    } catch (error) {
      throw templateInvalid(origin, error);
    }
  }

  /**
   * Renders messages; `specialTokens` are its variables bos_token, eos_token, ... Throws
   * LMFLOW_TEMPLATE_FAILED.
   */
  render(
    messages: readonly ChatMessage[],
    options: RenderOptions,
    specialTokens: Readonly<Record<string, string>>,
  ): string {
    const environment = new Environment();
    const variables: Record<string, unknown> = {
      ...globals,
      ...specialTokens,
      messages,
      tools: options.tools ?? null,
      documents: null,
      add_generation_prompt: options.addGenerationPrompt ?? false,
    };
    try {
      for (const [name, value] of Object.entries(variables)) environment.set(name, value);
      return new Interpreter(environment).run(this.#program).value;
    } catch (error) {
      throw templateFailed(
        this.origin,
        messages.map(({ role }) => role),
        error,
      );
    }
  }
}

const globals: Readonly<Record<string, unknown>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  raise_exception: (message: unknown): never => {
    throw new Error(String(message));
  },
  strftime_now: (format: string): string => strftime(new Date(), format),
  range: (start: number, stop?: number, step = 1): number[] => {
    const [from, to] = stop === undefined ? [0, start] : [start, stop];
    return Array.from(
      { length: Math.max(0, Math.ceil((to - from) / step)) },
      (_, index) => from + index * step,
    );
  },
};

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const two = (number: number): string => String(number).padStart(2, '0');

const DIRECTIVES: Readonly<Record<string, (date: Date) => string>> = {
  '%': () => '%',
  A: (date) => DAYS[date.getDay()]!,
  a: (date) => DAYS[date.getDay()]!.slice(0, 3),
  B: (date) => MONTHS[date.getMonth()]!,
  b: (date) => MONTHS[date.getMonth()]!.slice(0, 3),
  d: (date) => two(date.getDate()),
  F: (date) => strftime(date, '%Y-%m-%d'),
  H: (date) => two(date.getHours()),
  I: (date) => two(date.getHours() % 12 || 12),
  j: (date) =>
    String(
      Math.round(
        (new Date(date.getFullYear(), date.getMonth(), date.getDate(), 12).getTime() -
          new Date(date.getFullYear(), 0, 0, 12).getTime()) /
          86_400_000,
      ),
    ).padStart(3, '0'),
  M: (date) => two(date.getMinutes()),
  m: (date) => two(date.getMonth() + 1),
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  S: (date) => two(date.getSeconds()),
  T: (date) => strftime(date, '%H:%M:%S'),
  Y: (date) => String(date.getFullYear()),
  y: (date) => two(date.getFullYear() % 100),
};

/** Python's strftime in the C locale; an unknown directive stays as it is. */
export function strftime(date: Date, format: string): string {
  return format.replace(/%-?([%a-zA-Z])/g, (directive, letter: string) => {
    const text = DIRECTIVES[letter]?.(date);
    if (text === undefined) return directive;
    return directive.startsWith('%-') ? text.replace(/^0+(?=\d)/, '') : text;
  });
}
