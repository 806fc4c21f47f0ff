// The README of every plugin has every key and every other spelling that the plugin takes.
import { readdirSync, readFileSync } from 'node:fs';
import type { Plugin } from '@lmflow/sdk';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const plugins = new URL('../../plugins/', import.meta.url);

for (const name of readdirSync(plugins)) {
  test(`${name}: keys and aliases stand in its README`, async () => {
    const { default: factory } = (await import(new URL(`${name}/src/index.ts`, plugins).href)) as {
      default: () => Plugin;
    };
    const { options } = factory();
    const readme = readFileSync(new URL(`${name}/README.md`, plugins), 'utf8');
    const names = [
      ...Object.keys(options?.schema.shape ?? {}),
      ...Object.keys(options?.aliases ?? {}),
    ];
    const code = [...readme.matchAll(/`[^`\n]+`/g)].join('\n');
    assert.equal(
      names.filter((key) => !new RegExp(`\\b${key}\\b`).test(code)),
      [],
    );
  });
}

test.run();
