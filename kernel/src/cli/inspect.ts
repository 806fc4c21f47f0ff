// `lmflow inspect`: the resolved configuration with origins, the order of taps, and what they cost
// in the last command.
import { pad, widest } from '../columns.ts';
import { shown } from '../errors/shown.ts';
import type { Kernel } from '../kernel.ts';
import type { TapReport, TapTime } from '../hooks.ts';
import type { KernelReport } from '../types.ts';
import type { LastRun } from './lastrun.ts';

const secret = /(^|\.)(\w*(apiKey|password|secret)|hubToken|authToken|accessToken|hfToken)$/i;

/** The kernel's report with secrets covered, since people paste it into issues. */
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
export function printInspection(kernel: Kernel, last: LastRun | undefined): void {
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
