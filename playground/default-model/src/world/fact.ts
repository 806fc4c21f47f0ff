// A fact: one short answer, told in several wordings and asked for in several. A relation has the
// wordings, a table the words that fill them.
import { fill, type Slots } from './sentence.ts';

export interface Relation {
  readonly name: string;
  /** At least four; the first one is the answer to every question. */
  readonly statements: readonly string[];
  readonly questions: readonly string[];
  /** Questions that are never trained: for the card. */
  readonly unseen: readonly string[];
}

export interface Fact {
  readonly relation: string;
  readonly answer: string;
  readonly statements: readonly string[];
  readonly questions: readonly string[];
  readonly unseen: readonly string[];
}

export function makeFact(relation: Relation, slots: Slots): Fact {
  const filled = (templates: readonly string[]): string[] =>
    templates.map((template) => fill(template, slots));
  const statements = filled(relation.statements);
  return {
    relation: relation.name,
    answer: statements[0]!,
    statements,
    questions: filled(relation.questions),
    unseen: filled(relation.unseen),
  };
}
