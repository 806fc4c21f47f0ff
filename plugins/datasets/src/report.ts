// Reports the data before training: its sources, how many tokens, and the first sample with its
// mask. loader.ts reads the data.
import {
  IGNORED,
  type DatasetRequest,
  type Logger,
  type Sample,
  type Samples,
  type Tokenizer,
} from '@lmflow/sdk';
import type { SourceDescription } from './sources/opened-datasets.ts';

const OPEN = '⟦';
const CLOSE = '⟧';
const LONGEST_RUN = 600;

const number = (value: number): string => value.toLocaleString('en');

/** A sample as text, with trained parts in ⟦...⟧. Long runs are shortened in the middle. */
function marked({ inputIds, labels, segments }: Sample, tokenizer: Tokenizer): string {
  const end = segments ? segments.lastIndexOf(1) + 1 : inputIds.length;
  let text = '';
  let decoded = '';
  for (let from = 0; from < end;) {
    const trained = labels[from] !== IGNORED;
    let to = from + 1;
    while (to < end && (labels[to] !== IGNORED) === trained) to++;
    // decoded from the start each time, since decoders treat the beginning of a text differently
    const whole = tokenizer.decode(inputIds.subarray(0, to));
    const run = shorten(whole.slice(decoded.length));
    decoded = whole;
    text += trained ? `${OPEN}${run}${CLOSE}` : run;
    from = to;
  }
  return text;
}

function shorten(text: string): string {
  if (text.length <= LONGEST_RUN) return text;
  const half = LONGEST_RUN / 2;
  return `${text.slice(0, half)} [... ${number(text.length - LONGEST_RUN)} characters ...] ${text.slice(-half)}`;
}

/** Rows about a split: counts, and samples that were truncated or dropped, with the reason. */
export function rows(
  samples: Samples,
  packedFrom: number | undefined,
  dropped: Readonly<Record<string, number>>,
): (readonly [string, string])[] {
  const { statistics } = samples;
  const share =
    statistics.tokens > 0
      ? ` (${((100 * statistics.trainedTokens) / statistics.tokens).toFixed(1)} %)`
      : '';
  let longest = 0;
  for (let index = 0; index < samples.length; index++) {
    longest = Math.max(longest, samples.lengthOf(index));
  }
  const reasons = Object.entries(dropped).map(([reason, count]) => `${number(count)} ${reason}`);
  return [
    [
      samples.group ? `groups of ${samples.group.size}` : 'samples',
      packedFrom === undefined
        ? number(samples.length)
        : `${number(samples.length)} (packed from ${number(packedFrom)})`,
    ],
    ['tokens', `${number(statistics.tokens)}, longest sample ${number(longest)}`],
    ['trained tokens', `${number(statistics.trainedTokens)}${share}`],
    ['truncated', number(statistics.truncated)],
    ['dropped', reasons.length === 0 ? '0' : reasons.join(', ')],
  ];
}

/** Logs each source: its format, its files and how many records were used. */
export function reportSources(
  log: Logger,
  sources: readonly SourceDescription[],
  { split, cached }: { readonly split: DatasetRequest['split']; readonly cached: boolean },
): void {
  for (const { name, format, files, records } of sources) {
    const facts = [
      format,
      ...(files > 1 ? [`${files} files`] : []),
      ...(records === undefined ? [] : [`${number(records)} record${records === 1 ? '' : 's'}`]),
    ];
    const use = split === 'train' ? '' : ' for evaluation';
    log.info(`${name}: ${facts.join(', ')}${use}${cached ? ' (tokens from the cache)' : ''}`);
  }
}

/** Logs the first sample with its mask and how answers end; warns if the end is not trained. */
export function reportFirst(
  log: Logger,
  samples: Samples,
  tokenizer: Tokenizer,
  facts: Readonly<Record<string, unknown>>,
): void {
  const { eosToken } = tokenizer;
  const first = samples.group?.get(0) ?? [samples.get(0)];
  const texts = first.map((sample) => marked(sample, tokenizer)).join('\n---\n');
  const what =
    first.length > 1 ? 'first group, with what is compared' : 'first sample, with its trained part';
  log.info(`${what} in ⟦ ⟧:\n${texts}`);
  if (tokenizer.eosId === undefined) {
    log.warn('the tokenizer has no end-of-text token: the model cannot learn where an answer ends');
  } else if (Number(facts['addedEos']) > 0) {
    log.warn(
      `the chat template ends answers without a special token: ${eosToken} is added after ` +
        'the last answer of each conversation',
    );
  } else if (Number(facts['openEnded']) > 0) {
    log.warn(
      'the chat template closes {% generation %} before the token that ends the turn in ' +
        `${Number(facts['openEnded'])} answers: the model does not learn to stop there`,
    );
  }
  const ends = (facts['turnEnds'] as readonly string[]).filter((end) => end !== eosToken);
  if (ends.length > 0) {
    log.info(`answers end with ${ends.join(' or ')}, where generation must stop`);
  }
}
