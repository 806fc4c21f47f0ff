// The entry of the HTTP thread, which running-server.ts starts. It does nothing elsewhere.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '@lmflow/sdk';
import { closeServer, createServer } from './http/http-server.ts';
import { MainLink } from './http/main-link.ts';
import type { ThreadData, ToMain, ToThread } from './thread-messages.ts';

const port = parentPort;
if (port !== null && isThreadData(workerData)) {
  await serve(workerData, (message) => {
    port.postMessage(message);
  });
}

async function serve(data: ThreadData, send: (message: ToMain) => void): Promise<void> {
  const link = new MainLink(send);
  const server = await createServer(data, link);
  let stopping = false;
  port!.on('message', (message: ToThread) => {
    if (message.kind === 'event') return link.deliver(message.id, message.event);
    if (stopping) return;
    stopping = true;
    void closeServer(server)
      .catch((error: unknown) => {
        link.log('error', String(error));
      })
      .then(end);
  });
  const end = (): void => {
    send({ kind: 'closed' });
    port!.close();
  };
  const { host, port: number } = data.options;
  try {
    // a short backlog turns normal clients away while others connect by the thousand
    await server.app.listen({ host, port: number, backlog: 4096 });
  } catch (error) {
    send({ kind: 'cannot-listen', why: messageOf(error) });
    port!.close();
    return;
  }
  const bound = server.app.server.address() as { port: number };
  send({
    kind: 'listening',
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound.port}`,
  });
}

function isThreadData(value: unknown): value is ThreadData {
  return typeof value === 'object' && value !== null && 'options' in value && 'models' in value;
}
