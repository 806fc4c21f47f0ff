// `lmflow inspect`: the resolved configuration with origins, the order of taps, their times in the
// last command, and what plugins change in the model.
import { MODELS, type CommandSpec } from '@lmflow/sdk';
import type { LinearClaim, ModelRequest, Wrap } from '@lmflow/sdk/model';
import { z } from 'zod';
import { pad, widest } from '../columns.ts';
import { flagInvalid } from '../errors.ts';
import { shown } from '../errors/shown.ts';
import type { Kernel } from '../kernel.ts';
import type { TapReport, TapTime } from '../hooks.ts';
import type { KernelReport } from '../types.ts';
import type { LastRun } from './last-run.ts';

const secret = /(^|\.)(\w*(apiKey|password|secret)|hubToken|authToken|accessToken|hfToken)$/i;

const options = z.object({
  loadModel: z
    .enum(['training', 'inference'])
    .optional()
    .describe(
      'Load the model for this purpose and show which plugin wraps which building function, in order.',
    ),
});

/** The command and its own flags. */
export const inspectSpec: CommandSpec = {
  name: 'inspect',
  summary: 'the resolved configuration with the origin of each value, and the order of taps',
  options,
  run: () => Promise.resolve(undefined),
};

/** What plugins have changed in a model. */
export interface ModelReport {
  readonly source: string;
  readonly purpose: ModelRequest['purpose'];
  /** Replaced building functions, in order. */
  readonly wraps: readonly Wrap[];
  /** Linears that are computed in another form. */
  readonly claims: readonly Pick<LinearClaim, 'plugin' | 'how' | 'linears'>[];
}

/**
 * Loads the configured model as `--load-model` says; undefined without the flag. Throws
 * LMFLOW_FLAG_INVALID, LMFLOW_TOKEN_MISSING, and what loading throws.
 */
export async function inspectModel(
  kernel: Kernel,
  typed: Readonly<Record<string, unknown>>,
): Promise<ModelReport | undefined> {
  const parsed = options.safeParse(typed);
  if (!parsed.success) {
    throw flagInvalid('--load-model', 'is neither training nor inference');
  }
  const { loadModel: purpose } = parsed.data;
  if (purpose === undefined) return undefined;
  const { model: source } = kernel.config;
  if (source === undefined) {
    throw flagInvalid(
      '--load-model',
      'needs a model, and the configuration has none',
      'Name one with --model.',
    );
  }
  const request: ModelRequest = { role: 'policy', purpose, source };
  const { wraps, claims } = await kernel.resolve(MODELS).load(request);
  return {
    source,
    purpose,
    wraps,
    claims: claims.map(({ plugin, how, linears }) => ({ plugin, how, linears })),
  };
}

/** The kernel's report with secrets hidden, since people paste it into issues. */
export function safeReport(kernel: Kernel): KernelReport {
  const report = kernel.inspect();
  return {
    ...report,
    settings: report.settings.map((setting) =>
      secret.test(setting.key) && typeof setting.value === 'string'
        ? { ...setting, value: '***' }
        : setting,
    ),
  };
}

/** The same for people. */
export function printInspection(
  kernel: Kernel,
  last: LastRun | undefined,
  model: ModelReport | undefined,
): void {
  const { log } = kernel;
  const report = safeReport(kernel);
  const values = report.settings.map(({ key, value, origin }) => ({
    key,
    value: shown(value),
    origin,
  }));
  const width = Math.min(40, widest(values.map(({ value }) => value)));
  log.table(
    'configuration',
    values.map(({ key, value, origin }) => [key, `${pad(value, width)}  ${origin}`]),
  );
  log.table('loaded', [
    ['config file', report.configFile ?? 'none'],
    ['presets', report.presets.join(', ') || 'none'],
    ['plugins', report.plugins.join(', ') || 'none'],
  ]);
  const rows = Object.entries(report.hooks).flatMap(([hook, taps]) => tapRows(hook, taps));
  if (rows.length > 0) log.table('taps, in the order they run', rows);
  if (model) printModel(kernel, model);
  else if (kernel.has(MODELS)) {
    log.info('add --load-model training to see what the plugins change in the model');
  }
  if (last) {
    printTimes(
      `times of taps in the last ${last.command} (${last.ended})`,
      last.times,
      (title, rows) => {
        log.table(title, rows);
      },
    );
  }
}

function printModel({ log }: Kernel, { source, purpose, wraps, claims }: ModelReport): void {
  const loaded = `${source}, loaded for ${purpose}`;
  log.table(
    `wraps of ${loaded}, the first innermost`,
    wraps.map(({ building, by }) => [building, by]),
  );
  if (claims.length === 0) return;
  log.table(
    `linears of ${loaded}`,
    claims.map(({ plugin, how, linears }) => [`${linears.length} ${how}`, plugin]),
  );
}

/** A row for a hook, or one for each phase that is tapped. */
function tapRows(hook: string, taps: readonly TapReport[]): (readonly [string, string])[] {
  const phases = [...new Set(taps.map(({ phase }) => phase))];
  return phases.map((phase) => [
    phase === undefined ? hook : `${hook} ${phase}`,
    taps
      .filter((tap) => tap.phase === phase)
      .map(({ plugin, enforce }) => (enforce === undefined ? plugin : `${plugin} (${enforce})`))
      .join(', '),
  ]);
}

/** Times per plugin and hook, where any tap ran. */
export function printTimes(
  title: string,
  times: readonly TapTime[],
  print: (title: string, rows: readonly (readonly [string, string])[]) => void,
): void {
  if (times.length > 0) {
    print(
      title,
      times.map(({ plugin, hook, calls, milliseconds }) => [
        `${plugin} ${hook}`,
        `${milliseconds.toFixed(1)} ms in ${calls} call${calls === 1 ? '' : 's'}`,
      ]),
    );
  }
}
