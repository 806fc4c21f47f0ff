// Writes the pretrained model as the plugin's: weights rounded to float16, greedy by default.
// `npm run publish-model -- FROM TO`.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '@lmflow/sdk/files';
import { readSafetensors, toFloat16, writeSafetensors } from '@lmflow/sdk/formats';

const WEIGHTS = 'model.safetensors';
const TOKENIZER = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'];

const [from = 'work/base', to = '../../plugins/default-model/model'] = process.argv.slice(2);
await makeFolder(to);
for (const name of TOKENIZER) copyFileSync(join(from, name), join(to, name));
const config = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8')) as object;
writeJson('config.json', { ...config, torch_dtype: 'float16' });
writeJson('generation_config.json', { bos_token_id: 0, eos_token_id: 1, do_sample: false });
const tensors = [...(await readSafetensors(join(from, WEIGHTS)))].map(
  ([name, { shape, data }]) => [name, { shape, dtype: 'F16', data: toFloat16(data) }] as const,
);
await writeSafetensors(join(to, WEIGHTS), tensors);
console.log(`${tensors.length} tensors in float16: ${to}`);

function writeJson(name: string, value: unknown): void {
  writeFileSync(join(to, name), `${JSON.stringify(value, undefined, 2)}\n`);
}
