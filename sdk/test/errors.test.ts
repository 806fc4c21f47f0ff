// LMFlowError and "did you mean".
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { didYouMean, isLMFlowError, inputError, LMFlowError } from '@lmflow/sdk';
import { opTypesDoNotFit } from '@lmflow/sdk/graph';

const keys = [
  'learningRate',
  'loraAlpha',
  'loraDropout',
  'outputDir',
  'warmupSteps',
  'warmupRatio',
  'maxSteps',
  'seed',
];
const suggestions: readonly (readonly [string, string | undefined])[] = [
  ['learningrate', 'learningRate'],
  ['learning_rate', 'learningRate'],
  ['lerningRate', 'learningRate'],
  ['loraAlhpa', 'loraAlpha'],
  ['lora-alpha', 'loraAlpha'],
  ['outputDirectory', undefined],
  ['warmupStep', 'warmupSteps'],
  ['warmupRation', 'warmupRatio'],
  ['maxStep', 'maxSteps'],
  ['sede', 'seed'],
  ['seed', 'seed'],
  ['gradientCheckpointing', undefined],
  ['zebra', undefined],
];

for (const [word, expected] of suggestions) {
  test(`didYouMean("${word}") is ${expected}`, () => {
    assert.is(didYouMean(word, keys), expected);
  });
}

test('didYouMean takes any iterable; the first of equals wins; nothing from nothing', () => {
  assert.is(didYouMean('maxStep', new Set(keys)), 'maxSteps');
  assert.is(didYouMean('cat', ['bat', 'rat']), 'bat');
  assert.is(didYouMean('cat', []), undefined);
});

test('an LMFlowError has code, hint and cause', () => {
  const cause = new TypeError('inner');
  const error = inputError('LMFLOW_TEST', 'it broke', { hint: 'mend it', cause });
  assert.instance(error, Error);
  assert.is(error.name, 'LMFlowError');
  assert.is(error.code, 'LMFLOW_TEST');
  assert.is(error.hint, 'mend it');
  assert.is(error.cause, cause);
  assert.not('cause' in inputError('LMFLOW_TEST', 'it broke'));
  // @ts-expect-error codes start with LMFLOW_
  new LMFlowError('OTHER', 'it broke');
});

test('isLMFlowError knows those of another copy of the package, and nothing else', () => {
  const foreign = Object.assign(new Error('from elsewhere'), {
    name: 'LMFlowError',
    code: 'LMFLOW_X',
  });
  assert.ok(isLMFlowError(foreign));
  assert.ok(isLMFlowError(opTypesDoNotFit('add', [], 'takes two')));
  for (const other of [
    new Error('plain'),
    { name: 'LMFlowError', code: 'LMFLOW_X' },
    undefined,
    'LMFLOW_X',
  ]) {
    assert.not(isLMFlowError(other));
  }
});

test('the message of wrong types says also that there are none', () => {
  assert.is(
    opTypesDoNotFit('add', [], 'takes two operands').message,
    'add: takes two operands, but the inputs are none',
  );
});

test.run();
