// The table of families. To add one: a file like its neighbours, and a line here (or, from a
// plugin, MODEL_FAMILIES).
import type { ModelFamily } from './family.ts';
import { gpt2 } from './gpt2.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';

export const families: readonly ModelFamily[] = [llama, mistral, qwen2, qwen3, gpt2];
