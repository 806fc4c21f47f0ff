// A signal that ends a request before its answer: the client is gone, the time is up, or the server
// closes.
import type { FastifyReply } from 'fastify';
import type { Server } from './server-state.ts';
import { clientGone, tookTooLong } from './failures.ts';

/** A signal that aborts with the Failure that ends the request; call `done` after the answer. */
export function requestSignal(
  { options, active }: Server,
  reply: FastifyReply,
): { readonly signal: AbortSignal; readonly done: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(tookTooLong(options.requestTimeout));
  }, options.requestTimeout * 1000);
  const onClose = (): void => {
    if (!reply.raw.writableFinished) controller.abort(clientGone());
  };
  reply.raw.once('close', onClose);
  active.add(controller);
  return {
    signal: controller.signal,
    done: () => {
      clearTimeout(timer);
      reply.raw.off('close', onClose);
      active.delete(controller);
    },
  };
}
