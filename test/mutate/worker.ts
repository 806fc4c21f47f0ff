// Feeds malformed inputs, one a seed, to the real plugins in this process, and says what became of
// each: `ok`, the code of an error, or `BUG` and what was thrown.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLMFlowError, randomStream } from '@lmflow/sdk';
import { writeTinyModel } from '@lmflow/sdk/testing';
import { plainKinds } from './inputs.ts';
import { madeKinds } from './made-inputs.ts';
import { Dice } from './mutations.ts';

process.env['HF_HUB_OFFLINE'] = '1'; // a changed name of a model is none of the hub's
const home = mkdtempSync(join(tmpdir(), 'lmflow-mutate-'));
const model = await writeTinyModel({ folder: join(home, 'model') });
const kinds = { ...(await plainKinds(home, model)), ...(await madeKinds(home, model)) };

/** An error that is not ours, or one of ours around such a one. */
function isBug(error: unknown): boolean {
  if (!isLMFlowError(error)) return true;
  return (
    error.code === 'LMFLOW_HOOK_FAILED' || /Cannot read prop|is not a function/.test(error.message)
  );
}

process.on('message', (seed: number) => {
  const names = Object.keys(kinds);
  const kind = names[seed % names.length]!;
  const folder = join(home, `case-${seed}`);
  kinds[kind]!(new Dice(randomStream(seed, 'mutate')), folder).then(
    () => tell('ok'),
    (error: unknown) => {
      if (!isBug(error)) return tell((error as { code: string }).code);
      return tell(`BUG ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    },
  );
  function tell(outcome: string): void {
    rmSync(folder, { recursive: true, force: true });
    process.send!({ seed, kind, outcome });
  }
});
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
process.send!('ready');
