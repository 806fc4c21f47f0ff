// Not a test: the run that resume.test.ts kills. Usage: killed.ts FOLDER. Resumes, saves every
// step, with dropout and accumulation.
import { setTimeout as sleep } from 'node:timers/promises';
import { fit, tinyModel, tinySamples, type RunRequest } from './kit.ts';

/** The run's settings, for the test's own uninterrupted one. */
export function killedRun(outputDir: string, pause: number): RunRequest {
  return {
    model: Object.assign(tinyModel(), { config: { dropout: 1 } }),
    train: tinySamples(22),
    evaluation: tinySamples(3, 8),
    config: { outputDir },
    options: {
      resumeFromCheckpoint: true,
      saveSteps: 1,
      saveTotalLimit: 3,
      loggingSteps: 3,
      evalStrategy: 'steps',
      evalSteps: 4,
      learningRate: 0.05,
      weightDecay: 0.01,
      perDeviceTrainBatchSize: 2,
      gradientAccumulationSteps: 2,
      maxSteps: 30,
      warmupSteps: 3,
      lrSchedulerType: 'cosine',
    },
    tap: (hooks) => {
      hooks.onStep.tap(async () => {
        await sleep(pause);
      });
      hooks.onSave.tap(async (checkpoint) => {
        await checkpoint.writeText('half.txt', 'written first');
        await sleep(pause);
        await checkpoint.writeText('half.txt', 'written whole');
      });
    },
  };
}

const [folder] = process.argv.slice(2);
if (folder !== undefined && process.argv[1]?.endsWith('killed.ts')) {
  process.stdout.write('started\n');
  await fit(killedRun(folder, 10));
}
