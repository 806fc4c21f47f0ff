// Compares the renderings that ./shipped.py wrote, and what {% generation %} marks in them, with
// ours. Run by hand:
//   node --conditions=lmflow-source --import tsx plugins/chat-templates/test/reference/shipped.ts OUT.json
import { readFileSync } from 'node:fs';
import { JinjaFault, JinjaTemplate } from '../../src/jinja/template.ts';

interface Case {
  readonly template: string;
  readonly conversation: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly text?: string;
  /** In code points. */
  readonly spans?: readonly (readonly [start: number, end: number])[];
  readonly error?: string;
}
const { templates, cases } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as {
  readonly templates: Readonly<Record<string, string>>;
  readonly cases: readonly Case[];
};

/** Places in UTF-16 units. */
function inUnits(text: string, spans: NonNullable<Case['spans']>): string {
  const points = Array.from(text);
  const unit = (at: number): number => points.slice(0, at).join('').length;
  const filled = spans.filter(([start, end]) => end > start);
  return JSON.stringify(filled.map(([start, end]) => [unit(start), unit(end)]));
}

function verdict({ template, variables, text, spans, error }: Case): string {
  let rendering;
  try {
    rendering = (parsed[template] ??= new JinjaTemplate(templates[template]!)).render(variables);
  } catch (reason) {
    if (!(reason instanceof JinjaFault)) return `crash: ${String((reason as Error).stack)}`;
    if (error !== undefined) return 'both refuse';
    return `refused only here: ${reason.kind}, line ${reason.line}: ${reason.message}`;
  }
  if (error !== undefined) return `rendered only here; there ${error}`;
  if (rendering.text !== text) return 'the text differs';
  const ours = JSON.stringify(rendering.tagged.map(({ start, end }) => [start, end]));
  if (ours !== inUnits(text, spans!)) return `the spans differ: ${ours}`;
  return spans!.length > 0 ? 'equal text and spans' : 'equal text';
}

const parsed: Record<string, JinjaTemplate> = {};
const counts = new Map<string, number>();
let shown = 0;
for (const each of cases) {
  const found = verdict(each);
  const kind = found.split(':')[0]!.split(';')[0]!;
  counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const fine = kind.startsWith('equal') || kind === 'both refuse';
  if (!fine && shown++ < 20) {
    process.stdout.write(`${each.template}, ${each.conversation}: ${found}\n`);
  }
}
process.stdout.write(`${JSON.stringify(Object.fromEntries(counts), undefined, 2)}\n`);
