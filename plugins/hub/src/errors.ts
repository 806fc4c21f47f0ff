// The errors of the Hugging Face hub and of the caches, one builder each.
import {
  didYouMean,
  failureError,
  inputError,
  messageOf,
  usageError,
  type HubRequest,
  type LMFlowError,
} from '@lmflow/sdk';

/** What an error says of a repository. */
export type Subject = Pick<HubRequest, 'kind' | 'id'> & { readonly revision: string };

const nameOf = ({ kind, id }: Pick<Subject, 'kind' | 'id'>): string =>
  `the ${kind === 'model' ? 'model' : 'data set'} ${id}`;

/** The hint where there is no network. */
function withoutNetwork({ kind, id }: Pick<Subject, 'kind' | 'id'>, verb = 'Download'): string {
  const type = kind === 'model' ? '' : ' --repo-type dataset';
  return `${verb} it elsewhere (hf download ${id}${type}) and point HF_HOME or cacheDir there, or give a local path.`;
}

/** The network is forbidden, and the cache does not have all files. */
export function hubOffline(
  subject: Subject,
  cache: string,
  state: 'partial' | 'absent',
  why: string,
): LMFlowError {
  const what = state === 'partial' ? 'has only a part of it' : 'does not have it';
  return inputError(
    'LMFLOW_HUB_OFFLINE',
    `${nameOf(subject)} (${subject.revision}) cannot be downloaded: ${why}, and the cache ${cache} ${what}`,
    { hint: withoutNetwork(subject) },
  );
}

/** The hub cannot be reached, and the cache does not have all files. */
export function hubUnreachable(subject: Subject, endpoint: string, cause: unknown): LMFlowError {
  return failureError('LMFLOW_HUB_UNREACHABLE', `${endpoint} cannot be reached: ${reason(cause)}`, {
    hint: withoutNetwork(subject, 'Set HF_ENDPOINT to a mirror, or download'),
    cause,
  });
}

/** The hub has no model or data set of this name, or hides it. */
export function hubNotFound(
  { kind, id }: Pick<Subject, 'kind' | 'id'>,
  endpoint: string,
  notLocal: string,
): LMFlowError {
  return inputError(
    'LMFLOW_HUB_NOT_FOUND',
    `there is no ${kind === 'model' ? 'model' : 'data set'} "${id}": ${endpoint} lacks it, and ${notLocal}`,
    { hint: 'Check the name.' },
  );
}

/** The repository has no such branch, tag or commit. */
export function hubRevisionNotFound(subject: Subject): LMFlowError {
  return inputError(
    'LMFLOW_HUB_REVISION',
    `${nameOf(subject)} has no branch, tag or commit "${subject.revision}"`,
  );
}

/** The repository is gated or private, or (the hub has one answer for these) does not exist. */
export function hubDenied(
  subject: Subject,
  endpoint: string,
  hasToken: boolean,
  gated: boolean,
): LMFlowError {
  const account = hasToken ? 'the account of your token has no access to it' : 'no token was given';
  const what = gated
    ? `${nameOf(subject)} is gated, and ${account}`
    : `${endpoint} denies "${subject.id}": it does not exist, or it is private or gated and ${account}`;
  const page = `${endpoint}/${subject.kind === 'model' ? '' : 'datasets/'}${subject.id}`;
  const login = `log in (hf auth login) or set HF_TOKEN (${endpoint}/settings/tokens)`;
  return inputError('LMFLOW_HUB_DENIED', what, {
    hint: gated
      ? `Accept its terms on ${page}, then ${login} with the account that did.`
      : `Check the name, or ${login} with an account that has access.`,
  });
}

/** A download failed after several tries; what has arrived is kept for the next run. */
export function hubFailed(what: string, cause: unknown, kept?: string): LMFlowError {
  return failureError('LMFLOW_HUB_FAILED', `${what} failed: ${reason(cause)}`, {
    cause,
    ...(kept === undefined ? {} : { hint: `Run it again to continue the download in ${kept}.` }),
  });
}

/** The content of a download does not have the hash that the hub announced. */
export function hubDamaged(what: string): LMFlowError {
  return failureError(
    'LMFLOW_HUB_FAILED',
    `${what} failed: the content does not have the hash that the hub announced`,
    { hint: 'Run it again to download it anew.' },
  );
}

/** The hub lists a file that would lie outside the cache. */
export function hubFileOutside(subject: Subject, file: string): LMFlowError {
  return inputError(
    'LMFLOW_HUB_FILE',
    `${nameOf(subject)} lists the file "${file}", which lies outside its folder`,
  );
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause as NodeJS.ErrnoException | undefined;
  return inner?.message || inner?.code || cause.message;
}

/** LMFLOW_CACHE_ACTION: `lmflow cache` has no such action, or flags of `clear` without it. */
export function cacheAction(action: string | undefined): LMFlowError {
  return usageError(
    'LMFLOW_CACHE_ACTION',
    action === undefined
      ? 'lmflow cache has no --yes, --hub or --older-than, which are for lmflow cache clear'
      : `lmflow cache has no action "${action}"`,
    { hint: 'Run lmflow cache, or lmflow cache clear [plugin...].' },
  );
}

/** LMFLOW_CACHE_UNKNOWN: the cache has nothing of a plugin that is named. */
export function cacheUnknown(name: string, known: readonly string[]): LMFlowError {
  const near = didYouMean(name, known);
  return usageError(
    'LMFLOW_CACHE_UNKNOWN',
    `the cache has nothing of "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    { hint: `Name one of these: ${known.join(', ')}.` },
  );
}

/** LMFLOW_CACHE_SHARED: the hub's downloads are deleted with --hub only. */
export function hubShared(): LMFlowError {
  return usageError(
    'LMFLOW_CACHE_SHARED',
    'the downloads from the Hugging Face hub are shared with other tools',
    { hint: 'Add --hub to delete it.' },
  );
}

/** LMFLOW_CACHE_UNCONFIRMED: nobody agreed to deleting from the cache. */
export function cacheUnconfirmed(what: string): LMFlowError {
  return usageError('LMFLOW_CACHE_UNCONFIRMED', `nothing is deleted: ${what}`, {
    hint: 'Answer y at the terminal, or add --yes.',
  });
}

/** LMFLOW_CACHE_KEPT: a part of the cache could not be deleted. */
export function cacheKept(cause: unknown): LMFlowError {
  return failureError('LMFLOW_CACHE_KEPT', `not everything could be deleted: ${messageOf(cause)}`, {
    cause,
    hint: 'Stop the commands that use it, and run it again.',
  });
}
