// The Jinja engine: source -> program -> text, with the settings that transformers uses. Only this
// file knows which library it is.
import * as jinja from '@huggingface/jinja';

/** A parsed template. */
export type Program = { readonly type: 'Program' };

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

/** Parses a source; throws the library's error where it is no Jinja. */
export function parseTemplate(source: string): Program {
  return parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
}

/** Runs a program; throws the library's error, or what `raise_exception` was given. */
export function runTemplate(
  program: Program,
  variables: Readonly<Record<string, unknown>>,
): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  return new Interpreter(environment).run(program).value;
}
