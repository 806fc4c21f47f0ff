// The errors of the Hugging Face hub and its cache, one builder each.
import { type LMFlowError, inputError, failureError } from '@lmflow/sdk';

const OFFLINE_HINT =
  'Download it once where there is a network (hf download <model>) and point HF_HOME or cacheDir to that cache, or name a local folder as the model.';

/** The network is not to be used, and the cache does not have the model. */
export function hubOffline(
  id: string,
  revision: string,
  cache: string,
  state: 'partial' | 'absent',
  why: string,
): LMFlowError {
  const what = state === 'partial' ? 'has only a part of it' : 'does not have it';
  return inputError(
    'LMFLOW_HUB_OFFLINE',
    `the model ${id} (${revision}) cannot be downloaded: ${why}, and the cache ${cache} ${what}`,
    { hint: OFFLINE_HINT },
  );
}

/** The hub cannot be reached, and the cache does not have the model. */
export function hubUnreachable(endpoint: string, cause: unknown): LMFlowError {
  return failureError('LMFLOW_HUB_UNREACHABLE', `${endpoint} cannot be reached: ${reason(cause)}`, {
    hint: `${OFFLINE_HINT} HF_ENDPOINT names another hub or a mirror.`,
    cause,
  });
}

/** The hub has no such model (or does not say that it has). */
export function hubNotFound(id: string, endpoint: string, folder: string): LMFlowError {
  return inputError(
    'LMFLOW_MODEL_NOT_FOUND',
    `there is no model "${id}": ${endpoint} does not have it, and the folder ${folder} does not exist`,
  );
}

export function hubRevisionNotFound(id: string, revision: string): LMFlowError {
  return inputError(
    'LMFLOW_HUB_REVISION',
    `the model ${id} has no branch, tag or commit "${revision}"`,
  );
}

/** The model is gated or private, or (the hub does not tell these apart) does not exist. */
export function hubDenied(
  id: string,
  endpoint: string,
  hasToken: boolean,
  gated: boolean,
): LMFlowError {
  const account = hasToken ? 'the account of your token has no access to it' : 'no token was given';
  const what = gated
    ? `the model ${id} is gated, and ${account}`
    : `${endpoint} does not give out "${id}": it does not exist, or it is private or gated and ${account}`;
  return inputError('LMFLOW_HUB_DENIED', what, {
    hint: `${gated ? `Accept its terms on ${endpoint}/${id}, then set` : 'If it exists, set'} HF_TOKEN to a token (${endpoint}/settings/tokens) of an account that has access.`,
  });
}

/** A download failed, also after some tries. What was got is kept for the next try. */
export function hubFailed(what: string, cause: unknown, kept?: string): LMFlowError {
  return failureError('LMFLOW_HUB_FAILED', `${what} failed: ${reason(cause)}`, {
    cause,
    ...(kept === undefined ? {} : { hint: `Run it again to go on where it stopped (${kept}).` }),
  });
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause;
  return inner instanceof Error && inner.message ? inner.message : cause.message;
}
