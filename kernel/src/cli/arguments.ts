// The command's name and the flags that belong to `lmflow` itself; all other words are left for
// settings/flags.ts.
import { flagInvalid, flagUnknown } from '../errors.ts';
import { didYouMean } from '@lmflow/sdk';

/** Global flags, as typed. */
export interface Globals {
  config?: string;
  cwd?: string;
  readonly presets: string[];
  readonly plugins: string[];
  json: boolean;
  verbose: boolean;
  /** Undefined: where the stream is a terminal. */
  color?: boolean;
  help: boolean;
  version: boolean;
}

export interface CommandLine {
  readonly globals: Globals;
  readonly command: string | undefined;
  /** Words after the command that are not global flags. */
  readonly words: readonly string[];
}

/** For help: flag, value, description. */
export const globalHelp: readonly (readonly [string, string])[] = [
  [
    '--config FILE',
    'config file to read (else lmflow.config.ts and the like, in this folder or above)',
  ],
  ['--preset NAME', 'preset to load beside those of the config; may be repeated'],
  ['--plugin NAME', 'plugin to load beside those of the config; may be repeated'],
  ['--cwd FOLDER', 'work as if started in this folder'],
  ['--json', 'events and results as JSON on stdout, everything else on stderr'],
  ['--verbose', 'more messages, stacks of errors, times of plugins'],
  ['--no-color', 'no colours (also with NO_COLOR set)'],
  ['--help, -h', 'this help; after a command, all of its flags'],
  ['--version, -V', 'versions of lmflow and its contract'],
];

const withValue = ['--config', '--preset', '--plugin', '--cwd'] as const;
const without = [
  '--json',
  '--verbose',
  '--no-color',
  '--color',
  '--help',
  '-h',
  '--version',
  '-V',
] as const;

/**
 * Takes the global flags out, wherever they stand. Throws LMFLOW_FLAG_INVALID, LMFLOW_FLAG_UNKNOWN.
 */
export function readArguments(argv: readonly string[]): CommandLine {
  const globals: Globals = {
    presets: [],
    plugins: [],
    json: false,
    verbose: false,
    help: false,
    version: false,
  };
  const words: string[] = [];
  let command: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === '--') {
      words.push(...argv.slice(index));
      break;
    }
    const [flag, inline] = split(word);
    if (isOneOf(flag, withValue)) {
      const value = inline ?? argv[(index += 1)];
      if (value === undefined || value === '' || (inline === undefined && value.startsWith('-'))) {
        throw flagInvalid(flag, 'needs a value');
      }
      if (flag === '--config') globals.config = value;
      else if (flag === '--cwd') globals.cwd = value;
      else {
        (flag === '--preset' ? globals.presets : globals.plugins).push(
          ...value.split(',').filter((name) => name !== ''),
        );
      }
    } else if (isOneOf(flag, without)) {
      if (inline !== undefined) throw flagInvalid(flag, 'takes no value');
      setSwitch(globals, flag);
    } else if (command === undefined && !word.startsWith('-')) command = word;
    else if (command === undefined) {
      const near = didYouMean(flag, [...withValue, ...without]);
      throw flagUnknown(
        flag,
        '<command>',
        near === undefined
          ? 'flags of a command come after it: lmflow <command> --flag value'
          : `did you mean ${near}?`,
      );
    } else words.push(word);
  }
  return { globals, command, words };
}

function setSwitch(globals: Globals, flag: (typeof without)[number]): void {
  if (flag === '--json') globals.json = true;
  else if (flag === '--verbose') globals.verbose = true;
  else if (flag === '--no-color') globals.color = false;
  else if (flag === '--color') globals.color = true;
  else if (flag === '--help' || flag === '-h') globals.help = true;
  else globals.version = true;
}

function split(word: string): [string, string | undefined] {
  const equals = word.startsWith('--') ? word.indexOf('=') : -1;
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}

function isOneOf<T extends string>(word: string, list: readonly T[]): word is T {
  return (list as readonly string[]).includes(word);
}
