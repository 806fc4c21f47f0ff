// Zod's issues as sentences that name key, value, origin and rule.
import { didYouMean } from '@lmflow/sdk';
import { z } from 'zod';
import { kindOf, shown } from '../errors/shown.ts';
import { alternatives, longType, type JsonSchema } from './describe.ts';
import { pathOf, type Group } from './keys.ts';
import type { Settings } from './layers.ts';

type Issue = z.core.$ZodIssue;

const english = z.locales.en().localeError;

/** One line for each issue of a group's schema. */
export function describeIssues(issues: readonly Issue[], group: Group, raw: Settings): string[] {
  return issues.map((issue) => describeIssue(issue, group, raw));
}

function describeIssue(issue: Issue, group: Group, raw: Settings): string {
  const [first, ...inner] = issue.path.map(String);
  // a rule of the whole object (superRefine without a path)
  if (first === undefined) return `${group.section ?? group.owner}: ${issue.message}`;
  const path = pathOf(group.section, first);
  const key = group.keys.get(first);
  const setting = raw.get(path);
  const rule = ruleOf(issue, inner.length === 0 ? key?.field.schema : undefined);
  if (setting === undefined) {
    const flag = key === undefined ? '' : ` (in the configuration, or with --${key.flag})`;
    return issue.code === 'invalid_type'
      ? `${path} is required${flag}`
      : `${path} (${rule})${flag}`;
  }
  const value = inner.length === 0 ? setting.value : issue.input;
  const place = inner.reduce(
    (text, part) => (/^\d+$/.test(part) ? `${text}[${part}]` : `${text}.${part}`),
    path,
  );
  const advice = quotesAdvice(setting.value, key?.field.schema);
  return `${place} = ${shown(value)} (from ${setting.origin}) ${rule}${advice}`;
}

function ruleOf(issue: Issue, schema: JsonSchema | undefined): string {
  if (isAuthors(issue)) {
    return startsLikeRule(issue.message) ? issue.message : `is not accepted: ${issue.message}`;
  }
  const type = schema === undefined ? 'another value' : longType(schema);
  const typed = type === 'another value' ? undefined : `must be ${type}`;
  switch (issue.code) {
    case 'invalid_type':
      return typed ?? `must be ${article(issue.expected)}`;
    case 'invalid_value':
    case 'invalid_union':
      return typed ?? fromUnion(issue);
    case 'too_small':
      return bound(
        issue.origin,
        issue.minimum,
        issue.inclusive === false ? 'more than' : 'at least',
      );
    case 'too_big':
      return bound(
        issue.origin,
        issue.maximum,
        issue.inclusive === false ? 'less than' : 'at most',
      );
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'unrecognized_keys': {
      const word = issue.keys[0] ?? '';
      const near = didYouMean(word, Object.keys(schema?.properties ?? {}));
      return `has the unknown key "${word}"${near === undefined ? '' : `; did you mean "${near}"?`}`;
    }
    default:
      return `is not accepted: ${issue.message}`;
  }
}

// A message that the schema's author wrote is better than ours.
function isAuthors(issue: Issue): boolean {
  if (issue.code === 'custom') return true;
  const standard = english(issue as Parameters<typeof english>[0]);
  return issue.message !== (typeof standard === 'string' ? standard : standard?.message);
}

function startsLikeRule(message: string): boolean {
  return /^(must|needs?|is|has|should|cannot|may) /.test(message);
}

function fromUnion(issue: Issue): string {
  if (issue.code === 'invalid_value') {
    const values = issue.values.map((value) => JSON.stringify(value)).join(', ');
    return issue.values.length === 1 ? `must be ${values}` : `must be one of ${values}`;
  }
  if (issue.code !== 'invalid_union') return issue.message;
  const rules = issue.errors.flatMap((member) =>
    member[0] && member[0].path.length === 0
      ? [ruleOf(member[0], undefined).replace(/^must be /, '')]
      : [],
  );
  return rules.length > 0
    ? `must be ${[...new Set(rules)].join(' or ')}`
    : 'fits none of the permitted forms';
}

function bound(origin: string, limit: number | bigint, words: string): string {
  if (origin === 'string') {
    return limit === 1 && words === 'at least'
      ? 'must not be empty'
      : `must have ${words} ${limit} characters`;
  }
  if (origin === 'array' || origin === 'set') {
    return limit === 1 && words === 'at least'
      ? 'must not be an empty list'
      : `must have ${words} ${limit} entries`;
  }
  return `must be ${words} ${limit}`;
}

const names: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  record: 'an object',
  object: 'an object',
};

function article(expected: string): string {
  return names[expected] ?? `a ${expected}`;
}

// "2" where 2 is meant, which happens in JSON and YAML.
function quotesAdvice(value: unknown, schema: JsonSchema | undefined): string {
  if (typeof value !== 'string' || schema === undefined) return '';
  const types = new Set(alternatives(schema).map(({ type }) => type));
  if (types.has('string')) return '';
  if (
    (types.has('number') || types.has('integer')) &&
    value.trim() !== '' &&
    Number.isFinite(Number(value))
  ) {
    return `; write ${Number(value)} without quotes (it is ${kindOf(value)})`;
  }
  if (types.has('boolean') && (value === 'true' || value === 'false')) {
    return `; write ${value} without quotes (it is ${kindOf(value)})`;
  }
  return '';
}
