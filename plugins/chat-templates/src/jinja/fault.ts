// What goes wrong in a template: the one error that the engine throws. Which coded error a person
// sees is the renderer's business.

/**
 * `syntax`: no Jinja. `runtime`: what Python or Jinja2 refuses too. `unsupported`: Jinja2 does it,
 * this engine does not, and says so. `budget`: too many steps or too much text.
 */
export type FaultKind = 'syntax' | 'runtime' | 'unsupported' | 'budget';

/** A template that cannot be parsed or rendered. */
export class JinjaFault extends Error {
  readonly kind: FaultKind;
  /** Line of the template, from 1. */
  line: number | undefined;

  constructor(kind: FaultKind, message: string, line?: number) {
    super(message);
    this.kind = kind;
    this.line = line;
  }
}

/** What Python refuses with a TypeError, ValueError and so on. */
export const refused = (message: string): JinjaFault => new JinjaFault('runtime', message);

/** What Jinja2 does and this engine does not. */
export const unsupported = (what: string): JinjaFault =>
  new JinjaFault('unsupported', `${what} is not supported here`);
