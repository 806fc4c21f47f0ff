// Runs a request's jobs from the queue to the answer, streamed or whole. The endpoints decide how
// chunks look.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Server } from './server-state.ts';
import { clientOf } from './client-identity.ts';
import { broken, Failure, invalid, shuttingDown } from './failures.ts';
import type { Plan, Usage } from './plan.ts';
import { requestSignal } from './request-signal.ts';
import { EventStream } from './event-stream.ts';

/** Answers a planned request; throws a Failure while nothing is sent yet. */
export async function answerRequest(
  server: Server,
  request: FastifyRequest,
  reply: FastifyReply,
  plan: Plan,
): Promise<void> {
  const { options, queue } = server;
  const { jobs, n } = plan;
  const weight = jobs.length * n;
  if (weight > options.maxConcurrent) {
    throw invalid(
      `the request has ${weight} choices (prompts times n), but this server decodes ${options.maxConcurrent} at once`,
      jobs.length > 1 ? 'prompt' : 'n',
      'invalid_value',
    );
  }
  const { signal, done } = requestSignal(server, reply);
  const start = performance.now();
  let release: (() => void) | undefined;
  try {
    release = await queue.take(clientOf(request, server.keys), weight, signal);
    server.metrics.waited.observe((performance.now() - start) / 1000);
    const stream = plan.stream ? new EventStream(reply) : undefined;
    await decode(server, plan, signal, stream, start).then(
      async (usage) => {
        const milliseconds = Math.round(performance.now() - start);
        const user = plan.user === undefined ? '' : ` user ${JSON.stringify(plan.user)}`;
        const tokens = `${usage.prompt_tokens} + ${usage.completion_tokens} tokens`;
        server.link.log(
          'debug',
          `${request.id} ${jobs[0]!.model}${user}: ${tokens} in ${milliseconds} ms`,
        );
        if (!stream) return void reply.send(plan.answer.whole(usage));
        if (plan.includeUsage) await stream.send(plan.answer.usage(usage));
        stream.end();
      },
      (error: unknown) => {
        const failure = toFailure(error);
        if (!stream?.started) throw failure;
        if (failure.status >= 500) server.link.log('warn', `${request.id}: ${failure.message}`);
        stream.fail(failure.body);
      },
    );
  } finally {
    done();
    release?.();
  }
}

async function decode(
  server: Server,
  plan: Plan,
  signal: AbortSignal,
  stream: EventStream | undefined,
  start: number,
): Promise<Usage> {
  const { jobs, n, answer } = plan;
  const { metrics } = server;
  let promptTokens = 0;
  let completionTokens = 0;
  let waiting = jobs.length;
  let firstToken = true;
  // a job that fails stops the others
  const controller = new AbortController();
  const all = AbortSignal.any([signal, controller.signal]);
  const early: object[][] = [];
  const send = async (chunks: object[]): Promise<void> => {
    if (!stream || chunks.length === 0) return;
    // headers go out when every prompt is accepted: until then an error has its own status
    if (waiting > 0) early.push(chunks);
    else await stream.sendAll(chunks, signal);
  };
  const results = await Promise.allSettled(
    jobs.map(async (job, place) => {
      try {
        for await (const event of server.link.run(job, all)) {
          if (event.kind === 'refused') throw invalid(event.message, event.parameter, event.code);
          if (event.kind === 'failed') throw broken(event.message);
          if (event.kind === 'started') {
            promptTokens += event.promptTokens;
            metrics.tokens.inc({ kind: 'prompt' }, event.promptTokens);
            if (--waiting === 0) await send([...answer.begin(), ...early.splice(0).flat()]);
          }
          if (event.kind === 'piece') {
            if (firstToken) metrics.firstToken.observe((performance.now() - start) / 1000);
            firstToken = false;
            completionTokens += event.tokens;
            metrics.tokens.inc({ kind: 'completion' }, event.tokens);
            await send(answer.piece(place * n + event.index, event));
          }
        }
      } catch (error) {
        controller.abort(error);
        throw error;
      }
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw signal.aborted ? signal.reason : controller.signal.reason;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** Aborts every running request, when shutdownTimeout is over. */
export function abortAll(active: Iterable<AbortController>): void {
  for (const controller of active) controller.abort(shuttingDown());
}

function toFailure(error: unknown): Failure {
  return error instanceof Failure ? error : broken('the request failed');
}
