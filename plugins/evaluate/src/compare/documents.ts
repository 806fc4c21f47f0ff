// The records of a task as comparisons see them, from the lines of a samples file: ours or
// lm-evaluation-harness'.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { RecordFigure } from '../metrics.ts';

/** A task's records on one side. */
export interface ComparableTask {
  readonly task: string;
  readonly shots: number;
  /** In the order of their ids. */
  readonly documents: readonly ComparableDocument[];
}

/** A record on one side. */
export interface ComparableDocument {
  readonly id: number;
  /** Its content, its prompt and its answer, as far as the line has them. */
  readonly hashes: Readonly<Partial<Record<'doc' | 'prompt' | 'target', string>>>;
  /** How it begins, for messages. */
  readonly beginning: string;
  /** What the model chose or wrote; undefined where it does neither. */
  readonly answer: string | undefined;
  /** By metric; where answers were filtered in several ways, `metric,filter`. */
  readonly figures: Readonly<Record<string, RecordFigure>>;
}

const figure = z.union([
  z.number(),
  z.tuple([z.number(), z.number()]),
  z.tuple([z.union([z.string(), z.array(z.string())]), z.string()]),
]);

const line = z.looseObject({
  doc_id: z.int(),
  doc: z.unknown().optional(),
  doc_hash: z.string().optional(),
  prompt_hash: z.string().optional(),
  target_hash: z.string().optional(),
  filter: z.string().default('none'),
  filtered_resps: z.array(z.unknown()).default([]),
  metrics: z.array(z.string()),
});

/** Lines of a samples file, which may have several for a record. Throws a ZodError. */
export function documentsOf(lines: readonly unknown[]): ComparableDocument[] {
  const documents = new Map<number, ComparableDocument>();
  for (const content of lines) {
    const parsed = line.parse(content);
    const { doc_id: id, filter, metrics } = parsed;
    const figures = metrics.flatMap((metric) => {
      const value = figure.safeParse(parsed[metric]);
      const key = filter === 'none' ? metric : `${metric},${filter}`;
      return value.success ? [[key, value.data] as const] : [];
    });
    const before = documents.get(id);
    documents.set(id, {
      id,
      hashes: {
        doc: parsed.doc_hash ?? hashOf(parsed.doc),
        prompt: parsed.prompt_hash,
        target: parsed.target_hash,
      },
      beginning: beginningOf(parsed.doc),
      answer: before?.answer ?? answerOf(parsed.filtered_resps),
      figures: { ...before?.figures, ...Object.fromEntries(figures) },
    });
  }
  return [...documents.values()].sort((one, other) => one.id - other.id);
}

/** Whether two lines are of one record: tools keep it with other columns, but ask the same. */
export function isSameDocument(one: ComparableDocument, other: ComparableDocument): boolean {
  const same = (key: 'doc' | 'prompt' | 'target'): boolean => one.hashes[key] === other.hashes[key];
  return same('doc') || (one.hashes.prompt !== undefined && same('prompt') && same('target'));
}

/** The index of the likeliest choice, or the text. */
function answerOf(responses: readonly unknown[]): string | undefined {
  const [first] = responses;
  if (typeof first === 'string') return first;
  const sums = responses.map((response) => (Array.isArray(response) ? Number(response[0]) : NaN));
  if (sums.length < 2 || sums.some(Number.isNaN)) return undefined;
  return String(sums.indexOf(Math.max(...sums)));
}

/** The first text of some length in a record. */
function beginningOf(doc: unknown): string {
  const values: unknown[] = doc !== null && typeof doc === 'object' ? Object.values(doc) : [];
  const texts = values.filter((value) => typeof value === 'string');
  return (texts.find((text) => text.length > 8) ?? texts[0] ?? '').slice(0, 60);
}

function hashOf(doc: unknown): string | undefined {
  if (doc === undefined) return undefined;
  return createHash('sha256').update(JSON.stringify(doc)).digest('hex');
}
