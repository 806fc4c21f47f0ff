// Asks the model one held-out question before and after tuning, greedily.
import { readFileSync } from 'node:fs';
import { createKernel } from 'lmflow';
import { GENERATOR, MODELS } from '@lmflow/sdk';
import inference from '@lmflow/preset-inference';

const [pair] = JSON.parse(readFileSync('work/held-out.json', 'utf8')) as [
  { instruction: string; output: string },
];
console.log(`\nQuestion         ${pair.instruction}\nDictionary       ${pair.output}`);
console.log(`Before tuning    ${await answer()}`);
console.log(`After tuning     ${await answer('work/adapter')}`);
console.log(
  '\nThe adapter is in playground/demo/work/adapter, its base model in playground/demo/work/base.',
);

async function answer(adapter?: string): Promise<string> {
  const kernel = await createKernel({
    presets: [inference],
    model: 'work/base',
    lora: adapter === undefined ? {} : { adapter },
  });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source: 'work/base' });
    model.tokenizer.chatTemplate ??= readFileSync('work/adapter/chat_template.jinja', 'utf8');
    const prompt = [{ role: 'user', content: pair.instruction }];
    const [result] = await kernel
      .resolve(GENERATOR)
      .inference({ model, prompt, options: { maxNewTokens: 40, doSample: false } });
    return result!.text.trim();
  } finally {
    await kernel.close();
  }
}
