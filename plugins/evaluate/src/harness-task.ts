// A task file with the keys of lm-evaluation-harness as one of ours: the plain keys that mean the
// same. What would need Python, or has no meaning here, is refused by its name.
import { taskInvalid } from './errors.ts';

type Fields = Record<string, unknown>;

const TYPES: Readonly<Record<string, string>> = {
  multiple_choice: 'choice',
  loglikelihood_rolling: 'rolling',
  generate_until: 'generate',
};
/** How figures of records become those of a task, where the file says it. */
const AGGREGATIONS: Readonly<Record<string, string>> = {
  word_perplexity: 'weighted_perplexity',
  byte_perplexity: 'weighted_perplexity',
  bits_per_byte: 'bits_per_byte',
};
/** Keys that change nothing of a task. */
const WITHOUT_EFFECT = [
  'tag',
  'metadata',
  'should_decontaminate',
  'doc_to_decontamination_query',
] as const;

/** Whether a file has the harness's keys. */
export function isHarnessTask(content: unknown): content is Fields {
  return isFields(content) && ('output_type' in content || 'dataset_path' in content);
}

/** The same task with our keys, to be parsed. Throws LMFLOW_EVALUATE_TASK_FILE. */
export function fromHarness(file: string, content: Fields): Fields {
  return new Conversion(file, content).task();
}

class Conversion {
  readonly #file: string;
  readonly #rest: Fields;

  constructor(file: string, content: Fields) {
    this.#file = file;
    this.#rest = { ...content };
  }

  task(): Fields {
    const name = this.#take('task');
    if (Array.isArray(name)) throw this.#refused('task', 'is a list, which is a group of tasks');
    const metadata = this.#rest['metadata'];
    const outputType = this.#text('output_type') ?? 'generate_until';
    const type = TYPES[outputType];
    if (type === undefined) {
      throw this.#refused(
        'output_type',
        `is ${outputType}; here are ${Object.keys(TYPES).join(', ')}`,
      );
    }
    const task = defined({
      task: name,
      version: (isFields(metadata) ? metadata['version'] : undefined) ?? 0,
      type,
      dataset: this.#dataset(),
      splits: defined({
        train: this.#take('training_split'),
        validation: this.#take('validation_split'),
        test: this.#take('test_split'),
        shots: this.#take('fewshot_split'),
      }),
      numFewshot: this.#take('num_fewshot'),
      ...this.#ofType(type),
    });
    for (const key of WITHOUT_EFFECT) delete this.#rest[key];
    const [unknown] = Object.keys(this.#rest);
    if (unknown !== undefined) throw this.#refused(unknown, 'is not read here');
    return task;
  }

  #ofType(type: string): Fields {
    const text = this.#take('doc_to_text');
    const target = this.#take('doc_to_target');
    if (type === 'rolling') {
      if (text !== undefined && text !== '') throw this.#refused('doc_to_text', 'must be ""');
      return { text: this.#template('doc_to_target', target), metrics: this.#plainMetrics() };
    }
    const asked = defined({
      description: this.#optionalTemplate('description'),
      targetDelimiter: this.#take('target_delimiter'),
      fewshotDelimiter: this.#take('fewshot_delimiter'),
      sampler: this.#sampler(),
      prompt: this.#template('doc_to_text', text),
    });
    if (type === 'choice') {
      return {
        ...asked,
        choices: this.#choices(),
        gold: this.#gold(target),
        metrics: this.#plainMetrics(),
      };
    }
    return {
      ...asked,
      ...defined({
        target: isPath(target) ? target : this.#template('doc_to_target', target),
        generation: this.#generation(),
        repeats: this.#take('repeats'),
        answers: camel(this.#take('filter_list')),
      }),
      metrics: this.#metrics(),
    };
  }

  #dataset(): Fields {
    const path = this.#take('dataset_path');
    const subset = this.#take('dataset_name') ?? undefined;
    const kwargs = this.#take('dataset_kwargs');
    if (kwargs === undefined || kwargs === null) return defined({ path, subset });
    const { data_files: files, revision, ...others } = kwargs as Fields;
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) throw this.#refused(`dataset_kwargs.${unknown}`, 'is not read here');
    if (files === undefined) return defined({ path, subset, revision });
    if (!isFields(files)) {
      throw this.#refused('dataset_kwargs.data_files', 'must name a file for each split');
    }
    return { path: 'files', files };
  }

  #sampler(): unknown {
    const config = this.#take('fewshot_config');
    if (!isFields(config)) return undefined;
    const { sampler, ...others } = config;
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) throw this.#refused(`fewshot_config.${unknown}`, 'is not read here');
    return sampler;
  }

  /** A list of templates, or the column of a list. */
  #choices(): unknown {
    const choices = this.#take('doc_to_choice');
    if (Array.isArray(choices)) {
      return choices.map((one) => this.#template('doc_to_choice', String(one)));
    }
    if (typeof choices !== 'string') throw this.#refused('doc_to_choice', 'is missing');
    const template = this.#template('doc_to_choice', choices, false);
    const inside = /^\{\{\s*(.*?)\s*\}\}$/s.exec(template)?.[1] ?? template;
    const listed = /^\[([\w.,\s]+)\]$/.exec(inside)?.[1];
    if (listed !== undefined) return listed.split(',').map((name) => `{{${name.trim()}}}`);
    if (isPath(inside)) return inside;
    throw this.#refused('doc_to_choice', `is no column and no list of columns: ${choices}`);
  }

  /** An index, the column of one or of a choice, or `{{labels.index(label)}}`. */
  #gold(target: unknown): unknown {
    if (typeof target === 'number') return target;
    const inside = /^\{\{\s*(.*?)\s*\}\}$/s.exec(String(target))?.[1] ?? String(target);
    if (/^\d+$/.test(inside)) return Number(inside);
    if (isPath(inside)) return inside;
    const [, labels, label] = /^([\w.]+|\[[^\]]*\])\.index\(([\w.]+)\)$/.exec(inside) ?? [];
    if (labels === undefined || label === undefined) {
      throw this.#refused(
        'doc_to_target',
        `is no column and no {{labels.index(label)}}: ${inside}`,
      );
    }
    const named = labels.startsWith('[')
      ? [...labels.matchAll(/(['"])(.*?)\1/g)].map(([, , text]) => text)
      : labels;
    return { label: `{{${label}}}`, labels: named };
  }

  #plainMetrics(): unknown[] {
    return this.#metrics().map((metric) => {
      const [unknown] = Object.keys(metric).filter((key) => key !== 'metric');
      if (unknown !== undefined) {
        throw this.#refused(`metric_list.${unknown}`, `is not for ${String(metric['metric'])}`);
      }
      return metric['metric'];
    });
  }

  #metrics(): Fields[] {
    const list = this.#take('metric_list');
    if (!Array.isArray(list)) throw this.#refused('metric_list', 'is missing');
    return list.map((entry: unknown) => {
      if (!isFields(entry)) throw this.#refused('metric_list', 'is no list of metrics');
      const { metric, aggregation, higher_is_better: _, ...options } = entry;
      const expected = AGGREGATIONS[String(metric)] ?? 'mean';
      if (aggregation !== undefined && aggregation !== expected) {
        throw this.#refused('metric_list.aggregation', `of ${String(metric)} is ${expected} here`);
      }
      return { metric, ...(camel(options) as Fields) };
    });
  }

  #generation(): unknown {
    const options = this.#take('generation_kwargs');
    if (!isFields(options)) return undefined;
    const { until, max_gen_toks: maxNewTokens, ...others } = options;
    return defined({
      until: typeof until === 'string' ? [until] : until,
      maxNewTokens,
      ...(camel(others) as Fields),
    });
  }

  #optionalTemplate(key: string): string | undefined {
    const value = this.#take(key);
    return value === undefined ? undefined : this.#template(key, value, false);
  }

  /** A template in our spelling; a name alone is a column. */
  #template(key: string, value: unknown, mayBeColumn = true): string {
    if (typeof value !== 'string') throw this.#refused(key, 'is no template');
    if (mayBeColumn && isPath(value)) return `{{${value}}}`;
    if (/\{[%#]/.test(value)) {
      throw this.#refused(key, 'has a statement of Jinja; only {{column}} and filters are read');
    }
    return value.replace(/\{\{.*?\}\}/gs, (field) =>
      field
        .replace(/\.strip\(\)/g, ' | trim')
        .replace(/\.capitalize\(\)/g, ' | capitalize')
        .replace(
          /\[(\d+)\]|\[(['"])(\w+)\2\]/g,
          (_, index?: string, __?: string, name?: string) => `.${index ?? name ?? ''}`,
        ),
    );
  }

  #text(key: string): string | undefined {
    const value = this.#take(key);
    if (value === undefined || typeof value === 'string') return value;
    throw this.#refused(key, 'is no text');
  }

  #take(key: string): unknown {
    const value = this.#rest[key];
    delete this.#rest[key];
    return value ?? undefined;
  }

  #refused(key: string, why: string): Error {
    return taskInvalid(this.#file, `"${key}" ${why}`);
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPath(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z_]\w*(\.\w+)*$/.test(value);
}

/** Keys of every object in camelCase: `regex_pattern` -> `regexPattern`. */
function camel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camel);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inside]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      key === 'mapping_dict' ? inside : camel(inside),
    ]),
  );
}

function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
