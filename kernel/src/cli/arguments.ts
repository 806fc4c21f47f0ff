// The command's name and the flags that belong to `lmflow` itself; all other words are left for
// settings/flags.ts.
import { parseArgs } from 'node:util';
import { didYouMean } from '@lmflow/sdk';
import { flagInvalid, flagUnknown } from '../errors.ts';
import { globalFlags } from '../settings/keys.ts';

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

type GlobalFlag = keyof typeof globalFlags;

interface TypedGlobal {
  readonly flag: GlobalFlag;
  /** Empty for flags without a value. */
  readonly value: string;
}

/**
 * Takes the global flags out, wherever they stand. Throws LMFLOW_FLAG_INVALID, LMFLOW_FLAG_UNKNOWN.
 */
export function readArguments(argv: readonly string[]): CommandLine {
  // -h and -V are short flags alone: parseArgs would read -help as -h -e -l -p
  const args = argv.map((word) => (/^-[^-]./.test(word) ? '' : word));
  const { tokens } = parseArgs({
    args,
    options: globalFlags,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const typed: TypedGlobal[] = [];
  const words: string[] = [];
  let command: string | undefined;
  for (const token of tokens) {
    const word = argv[token.index]!;
    if (token.kind === 'option-terminator') {
      words.push(...argv.slice(token.index));
      break;
    }
    if (token.kind === 'option' && isGlobal(token.name)) {
      typed.push({ flag: token.name, value: checkedValue(token.name, token) });
    } else if (command !== undefined) words.push(word);
    else if (!word.startsWith('-')) command = word;
    else throw beforeCommand(token.kind === 'option' ? token.rawName : word);
  }
  return { globals: globalsOf(typed), command, words };
}

function isGlobal(name: string): name is GlobalFlag {
  return Object.hasOwn(globalFlags, name);
}

function checkedValue(
  flag: GlobalFlag,
  token: { readonly rawName: string; readonly value?: string; readonly inlineValue?: boolean },
): string {
  const { rawName, value = '', inlineValue = false } = token;
  if (globalFlags[flag].type === 'boolean') {
    if (inlineValue) throw flagInvalid(rawName, 'takes no value');
  } else if (value === '' || (!inlineValue && value.startsWith('-'))) {
    throw flagInvalid(rawName, 'needs a value');
  }
  return value;
}

function beforeCommand(flag: string): Error {
  const known = Object.keys(globalFlags).map((name) => `--${name}`);
  const near = didYouMean(flag, [...known, '-h', '-V']);
  return flagUnknown(
    flag,
    '<command>',
    near === undefined
      ? 'Write the flags of a command after it: lmflow <command> --flag value.'
      : `Did you mean ${near}?`,
  );
}

function globalsOf(typed: readonly TypedGlobal[]): Globals {
  const valuesOf = (wanted: GlobalFlag): string[] =>
    typed.filter(({ flag }) => flag === wanted).map(({ value }) => value);
  const namesOf = (flag: GlobalFlag): string[] =>
    valuesOf(flag)
      .flatMap((value) => value.split(','))
      .filter((name) => name !== '');
  const isTyped = (flag: GlobalFlag): boolean => valuesOf(flag).length > 0;
  const config = valuesOf('config').at(-1);
  const cwd = valuesOf('cwd').at(-1);
  const color = typed.findLast(({ flag }) => flag === 'color' || flag === 'no-color')?.flag;
  return {
    ...(config === undefined ? {} : { config }),
    ...(cwd === undefined ? {} : { cwd }),
    presets: namesOf('preset'),
    plugins: namesOf('plugin'),
    json: isTyped('json'),
    verbose: isTyped('verbose'),
    help: isTyped('help'),
    version: isTyped('version'),
    ...(color === undefined ? {} : { color: color === 'color' }),
  };
}
