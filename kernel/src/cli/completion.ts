// Completion of the command line: a script for the shell, which asks `lmflow completion words` at
// every Tab. Commands come from the packages' manifests, flags from the plugins that the command
// loads.
import type { Kernel } from '../kernel.ts';
import { alternatives, describeFields } from '../settings/describe.ts';
import { globalFlags } from '../settings/keys.ts';
import { kebab } from '../settings/names.ts';
import { readArguments, type CommandLine } from './arguments.ts';
import { commandsOf, installedPackages } from './installed.ts';
import { loadFor, type Loading } from './load-for.ts';
import { builtInHelp } from './help.ts';

/** The script of a shell, or undefined where there is none for it. */
export function completionScript(shell: string): string | undefined {
  return scripts[shell];
}

/** Shells that have a script. */
export const shells = ['bash', 'zsh', 'fish'] as const;

const scripts: Readonly<Record<string, string>> = {
  bash: `# lmflow completion bash >> ~/.bashrc
_lmflow() {
  local IFS=$'\\n'
  COMPREPLY=($(lmflow completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  if [[ \${#COMPREPLY[@]} -eq 0 ]]; then COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")); fi
}
complete -o filenames -F _lmflow lmflow
`,
  zsh: `# lmflow completion zsh >> ~/.zshrc
_lmflow() {
  local -a found
  found=("\${(@f)$(lmflow completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
compdef _lmflow lmflow
`,
  fish: `# lmflow completion fish > ~/.config/fish/completions/lmflow.fish
complete -c lmflow -a '(lmflow completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
};

/** What can stand in place of the last word; nothing where it is a value of a free kind. */
export async function completions(words: readonly string[], loading: Loading): Promise<string[]> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const { globals, command } = readLine(before);
  const starting = (names: Iterable<string>): string[] =>
    [...new Set(names)].filter((name) => name.startsWith(current)).sort();
  const packages = installedPackages(loading.cwd);
  const last = before.at(-1);
  if (last === '--preset' || last === '--plugin') {
    const kind = last.slice(2);
    return starting(packages.filter((each) => each.kind === kind).map(({ name }) => name));
  }
  const commands = [...commandsOf(packages), ...builtInHelp].map(([name]) => name);
  if (command === undefined || command === 'help') {
    return current.startsWith('-') ? starting(global) : starting([...commands, 'help']);
  }
  const kernel = await loadFor(
    { ...loading, globals: { ...loading.globals, ...globals } },
    command,
  );
  if (current.startsWith('-')) return starting([...global, ...flagsOf(kernel, command)]);
  return starting(valuesOf(kernel, command, last ?? ''));
}

/** The words so far; half of a line may be wrong, and says nothing then. */
function readLine(words: readonly string[]): Partial<CommandLine> {
  try {
    return readArguments(words);
  } catch {
    return {};
  }
}

const global = Object.keys(globalFlags).map((name) => `--${name}`);

function flagsOf(kernel: Kernel, name: string): string[] {
  const command = kernel.commands.get(name);
  const own = command?.spec.options ? describeFields(command.spec.options) : [];
  const section = kernel.keys.groups.find(({ owner }) => owner === command?.plugin);
  return [
    ...own.map(({ key }) => kebab(key)),
    ...(section?.section === undefined ? [] : [...section.keys.keys()].map(kebab)),
    ...[...kernel.keys.byPath.values()].map(({ flag }) => flag),
  ].map((flag) => `--${flag}`);
}

/** The values of a flag that takes one of a few. */
function valuesOf(kernel: Kernel, name: string, flag: string): string[] {
  const bare = flag.replace(/^--/, '');
  const command = kernel.commands.get(name);
  const own = command?.spec.options ? describeFields(command.spec.options) : [];
  const section = kernel.keys.groups.find(({ owner }) => owner === command?.plugin)?.section;
  const { flags } = kernel.keys;
  const meaning = flags.get(bare) ?? flags.get(`${kebab(section ?? '')}-${bare}`);
  const schema =
    own.find(({ key }) => kebab(key) === bare)?.schema ??
    (meaning?.kind === 'key' ? meaning.key.field.schema : undefined);
  return schema === undefined
    ? []
    : alternatives(schema).flatMap((type) => (type.enum ?? []).map(String));
}
