// The application: POST /ask takes { "question": "..." } and streams the answer as plain text; a
// visitor who leaves stops it. The kernel is the caller's.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Kernel } from 'lmflow';
import { GENERATOR, MODELS } from '@lmflow/sdk';

/** Loads the configuration's model and answers with it. */
export async function createApp(kernel: Kernel): Promise<Server> {
  const source = kernel.config.model!;
  const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'inference', source });
  const generator = kernel.resolve(GENERATOR);
  return createServer((request, response) => {
    const left = new AbortController();
    response.on('close', () => {
      left.abort();
    });
    const answer = async (): Promise<void> => {
      const question = await questionOf(request);
      if (question === undefined) {
        response.writeHead(400).end('POST /ask with {"question": "..."}\n');
        return;
      }
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
      const prompt = [{ role: 'user' as const, content: question }];
      for await (const chunk of generator.streamInference({ model, prompt, signal: left.signal })) {
        response.write(chunk.text);
      }
      response.end();
    };
    answer().catch((error: unknown) => {
      // a visitor who left is no fault
      if (!left.signal.aborted) response.destroy(error as Error);
    });
  });
}

async function questionOf(request: IncomingMessage): Promise<string | undefined> {
  if (request.method !== 'POST' || request.url !== '/ask') return undefined;
  try {
    const { question } = JSON.parse(await text(request)) as { question?: unknown };
    return typeof question === 'string' ? question : undefined;
  } catch {
    return undefined;
  }
}
