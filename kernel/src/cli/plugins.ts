// `lmflow plugins`: what is loaded and what each plugin does to the kernel.
import type { Kernel } from '../kernel.ts';

/** One loaded plugin. */
export interface PluginReport {
  readonly name: string;
  readonly version: string;
  readonly sdk: string;
  readonly requires: readonly string[];
  readonly section: string | undefined;
  readonly options: number;
  readonly taps: readonly string[];
  readonly provides: readonly string[];
  /** Rows of tables: `optimizer lion`. */
  readonly contributes: readonly string[];
  readonly commands: readonly string[];
}

/** All loaded plugins in the order they were applied. */
export function pluginReports(kernel: Kernel): PluginReport[] {
  const taps = Object.entries(kernel.taps());
  return kernel.plugins.map(({ name, version, sdk, requires = [], options }) => ({
    name,
    version,
    sdk,
    requires,
    section: options?.section,
    options: options ? Object.keys(options.schema.shape).length : 0,
    taps: taps.flatMap(([hook, of]) => of.filter(({ plugin }) => plugin === name).map(() => hook)),
    provides: [...kernel.providers].filter(([, plugin]) => plugin === name).map(([token]) => token),
    contributes: kernel.contributions(name),
    commands: [...kernel.commands.values()]
      .filter(({ plugin }) => plugin === name)
      .map(({ spec }) => spec.name),
  }));
}

/** The same for people. */
export function printPlugins(kernel: Kernel): void {
  const { log } = kernel;
  if (kernel.plugins.length === 0) {
    log.info('nothing is loaded; name presets or plugins in lmflow.config.ts, or with --preset');
  }
  for (const report of pluginReports(kernel)) {
    const rows: [string, string][] = [
      ['sdk', report.sdk],
      ['requires', report.requires.join(', ')],
      [
        'options',
        report.options === 0
          ? ''
          : `${report.options}${report.section === undefined ? ' flat keys' : ` in ${report.section}`}`,
      ],
      ['taps', report.taps.join(', ')],
      ['provides', report.provides.join(', ')],
      ['contributes', report.contributes.join(', ')],
      ['commands', report.commands.join(', ')],
    ];
    log.table(
      `${report.name} ${report.version}`,
      rows.filter(([, value]) => value !== ''),
    );
  }
  if (kernel.presets.length > 0) {
    log.info(`presets: ${kernel.presets.map(({ name }) => name).join(', ')}`);
  }
}
