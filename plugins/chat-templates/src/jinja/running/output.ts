// The text that is printed, and what of it stood between {% generation %} tags.
import type { TaggedPart } from '@lmflow/sdk';
import type { Budget } from '../budget.ts';

/** Collects the text of the template, or of a macro. */
export class Output {
  readonly parts: TaggedPart[] = [];
  /** A value is made of it (a macro's, a block's): where its parts end up is not known. */
  readonly nested: boolean;
  private printed = '';
  private readonly budget: Budget;
  private tags = 0;

  constructor(budget: Budget, nested: boolean) {
    this.budget = budget;
    this.nested = nested;
  }

  get text(): string {
    return this.printed;
  }

  print(text: string): void {
    this.printed += text;
    this.budget.print(this.printed.length);
  }

  /** Runs what the tags enclose; tags inside of tags add nothing. */
  tagged(message: number | undefined, run: () => void): void {
    const start = this.printed.length;
    this.tags++;
    run();
    this.tags--;
    const end = this.printed.length;
    if (this.tags === 0 && end > start) this.parts.push({ start, end, message });
  }
}
