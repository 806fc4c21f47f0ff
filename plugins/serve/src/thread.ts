// The HTTP thread. Does nothing where it is imported by anything but running-server.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '@lmflow/sdk';
import { closeServer, createServer } from './http/app.ts';
import { MainLink } from './http/main-link.ts';
import type { ThreadSettings, ToMain, ToThread } from './thread-messages.ts';

const port = parentPort;
if (port !== null && isSettings(workerData)) {
  await serve(workerData, (message) => {
    port.postMessage(message);
  });
}

async function serve(settings: ThreadSettings, send: (message: ToMain) => void): Promise<void> {
  const link = new MainLink(send);
  const server = await createServer(settings, link);
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
  const { host, port: number } = settings.options;
  try {
    // a short line at the door would turn normal clients away while others come by the thousand
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

function isSettings(data: unknown): data is ThreadSettings {
  return typeof data === 'object' && data !== null && 'options' in data && 'models' in data;
}
