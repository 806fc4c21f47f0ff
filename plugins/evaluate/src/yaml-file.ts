// A YAML file as a value. `!function` of lm-evaluation-harness is Python and refused by its name.
import { parseDocument, type ScalarTag } from 'yaml';
import { taskInvalid } from './errors.ts';

/** Throws LMFLOW_EVALUATE_TASK_FILE. */
export function readYaml(file: string, text: string): unknown {
  const functions: string[] = [];
  const functionTag: ScalarTag = {
    tag: '!function',
    resolve: (name) => {
      functions.push(name);
      return null;
    },
  };
  const document = parseDocument(text, { customTags: [functionTag] });
  const [name] = functions;
  if (name !== undefined) {
    throw taskInvalid(
      file,
      `"!function ${name}" is Python code: write what it makes into the data's columns, or use a ` +
        'template with filters',
    );
  }
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw taskInvalid(file, problem.message.split('\n')[0]!, problem);
  return document.toJS() as unknown;
}
