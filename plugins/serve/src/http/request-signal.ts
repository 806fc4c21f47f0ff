// When a request is over before it is answered: its client went away, its time is up, or the server
// closes.
import type { FastifyReply } from 'fastify';
import type { Server } from './app.ts';
import { clientGone, tookTooLong } from './failure.ts';

/**
 * A signal that is aborted with the Failure that ends the request; `done` is called when it was
 * answered.
 */
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
