// Completion of the command line: a script for the shell, which asks `lmflow completion words` at
// every Tab. Commands come from the packages' manifests, flags from the plugins that the command
// loads.
import type { Kernel } from '../kernel.ts';
import { alternatives, describeFields, type Field, type JsonSchema } from '../settings/describe.ts';
import { globalFlags } from '../settings/keys.ts';
import { kebab } from '../settings/names.ts';
import { readArguments, type CommandLine } from './arguments.ts';
import { commandsOf, installedPackages } from './installed.ts';
import { loadFor, type Loading } from './load-for.ts';
import { builtInHelp } from './help.ts';
import { inspectSpec } from './inspect.ts';

/** The script of a shell, or undefined where there is none for it. */
export function completionScript(shell: string): string | undefined {
  return scripts[shell];
}

/** Shells that have a script. */
export const shells = ['bash', 'zsh', 'fish'] as const;

// bash breaks --flag=value into three words, and wants the third back
const scripts: Readonly<Record<string, string>> = {
  bash: `# lmflow completion bash >> ~/.bashrc
_lmflow() {
  local IFS=$'\\n' index word last=-1 glued= words=()
  for ((index = 1; index <= COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ $last -ge 0 && ( $word == = || -n $glued ) ]]; then words[last]+=$word; else words[++last]=$word; fi
    if [[ $word == = && \${words[last]} == --* ]]; then glued=1; else glued=; fi
  done
  COMPREPLY=($(lmflow completion words -- "\${words[@]}" 2>/dev/null))
  word=\${COMP_WORDS[COMP_CWORD]}
  if [[ \${words[last]} == --*=* ]]; then
    word=\${words[last]#*=}
    if [[ $COMP_WORDBREAKS == *=* ]]; then COMPREPLY=("\${COMPREPLY[@]#*=}"); fi
  fi
  if [[ \${#COMPREPLY[@]} -eq 0 ]]; then COMPREPLY=($(compgen -f -- "$word")); fi
}
complete -o filenames -F _lmflow lmflow
`,
  zsh: `# lmflow completion zsh >> ~/.zshrc
_lmflow() {
  local -a found
  found=("\${(@f)$(lmflow completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then
    compadd -- $found
  else
    if [[ $PREFIX == --*=* ]]; then compset -P '--*='; fi
    _files
  fi
}
compdef _lmflow lmflow
`,
  fish: `# lmflow completion fish > ~/.config/fish/completions/lmflow.fish
function __lmflow_words
  set -l word (commandline -ct)
  set -l found (lmflow completion words -- (commandline -opc)[2..-1] "$word" 2>/dev/null)
  if test (count $found) -eq 0
    set -l flag (string match -r -- '^--[^=]*=' "$word"; or echo '')
    set found $flag(__fish_complete_path (string sub -s (math (string length -- "$flag") + 1) -- "$word"))
  end
  printf '%s\\n' $found
end
complete -c lmflow -f -a '(__lmflow_words)'
`,
};

/** What can stand in place of the last word; nothing where it is a value of a free kind. */
export async function completions(words: readonly string[], loading: Loading): Promise<string[]> {
  const current = words.at(-1) ?? '';
  const equals = current.startsWith('--') ? current.indexOf('=') : -1;
  const typed = equals < 0 ? current : current.slice(equals + 1);
  const before =
    equals < 0 ? words.slice(0, -1) : [...words.slice(0, -1), current.slice(0, equals)];
  const found = await following(before, typed, loading);
  const names = [...new Set(found)].filter((name) => name.startsWith(typed)).sort();
  return equals < 0 ? names : names.map((name) => current.slice(0, equals + 1) + name);
}

/** What can stand after the words; flags only where one is being typed. */
async function following(
  before: readonly string[],
  typed: string,
  loading: Loading,
): Promise<string[]> {
  const { globals, command, words = [] } = readLine(before);
  const packages = installedPackages(loading.cwd);
  const last = before.at(-1) ?? '';
  if (last === '--preset' || last === '--plugin') {
    return packages.filter(({ kind }) => `--${kind}` === last).map(({ name }) => name);
  }
  if (last === '--help' || last === '-h') return ['all'];
  if (last === '--config' || last === '--cwd') return [];
  const commands = [...commandsOf(packages), ...builtInHelp].map(([name]) => name);
  if (typed.startsWith('-') && (command === undefined || !loads(command))) return global;
  if (command === undefined) return [...commands, 'help'];
  if (command === 'help') {
    if (words.length === 0) return [...commands, ...packages.map(({ name }) => name)];
    return words.length === 1 ? ['all'] : [];
  }
  if (command === 'completion') return words.length === 0 ? [...shells] : [];
  if (!loads(command)) return [];
  const session = { ...loading, globals: { ...loading.globals, ...globals } };
  const kernel = await loadFor(session, command);
  if (typed.startsWith('-')) return [...global, ...flagsOf(kernel, command)];
  return valuesOf(kernel, command, last);
}

/** Whether a command has flags of the configuration. */
const loads = (command: string): boolean => !['help', 'completion', 'init'].includes(command);

/** The words so far; half of a line may be wrong, and says nothing then. */
function readLine(words: readonly string[]): Partial<CommandLine> {
  try {
    return readArguments(words);
  } catch {
    return {};
  }
}

const global = Object.keys(globalFlags).map((name) => `--${name}`);

function optionsOf(kernel: Kernel, name: string): Field[] {
  if (name === inspectSpec.name) return describeFields(inspectSpec.options!);
  const options = kernel.commands.get(name)?.spec.options;
  return options ? describeFields(options) : [];
}

const ownerOf = (kernel: Kernel, name: string): string | undefined =>
  kernel.commands.get(name)?.plugin;

function flagsOf(kernel: Kernel, name: string): string[] {
  const section = kernel.keys.groups.find(({ owner }) => owner === ownerOf(kernel, name));
  return [
    ...optionsOf(kernel, name).map(({ key }) => kebab(key)),
    ...(section?.section === undefined ? [] : [...section.keys.keys()].map(kebab)),
    ...[...kernel.keys.byPath.values()].map(({ flag }) => flag),
  ].map((flag) => `--${flag}`);
}

/** The values of a flag that takes one of a few. */
function valuesOf(kernel: Kernel, name: string, flag: string): string[] {
  if (!flag.startsWith('--')) return [];
  const bare = kebab(flag.slice(2));
  const own = optionsOf(kernel, name).find(({ key }) => kebab(key) === bare);
  const section = kernel.keys.groups.find(({ owner }) => owner === ownerOf(kernel, name))?.section;
  const { flags } = kernel.keys;
  const meaning = flags.get(bare) ?? flags.get(`${kebab(section ?? '')}-${bare}`);
  const schema = own?.schema ?? (meaning?.kind === 'key' ? meaning.key.field.schema : {});
  return choicesOf(schema, kernel);
}

/** The values that a schema names, and the rows of its table. */
function choicesOf(schema: JsonSchema, kernel: Kernel): string[] {
  const rows =
    schema.table === undefined
      ? []
      : [...kernel.rows({ name: schema.table, what: 'row' }).names(), ...defaultOf(schema)];
  const values = alternatives(schema).flatMap((type) => [
    ...(type.enum ?? []).map(String),
    ...(typeof type.const === 'string' ? [type.const] : []),
    ...(type.type === 'array' && type.items ? choicesOf(type.items, kernel) : []),
  ]);
  return [...rows, ...values];
}

/** Often another spelling of a row. */
const defaultOf = (schema: JsonSchema): string[] =>
  typeof schema.default === 'string' ? [schema.default] : [];
