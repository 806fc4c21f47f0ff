// A client that sends what it is told to: any header and any bytes.
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
}

/** Sends one request. */
export function ask(
  url: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url,
      {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => {
          resolve({ status: response.statusCode!, headers: response.headers, text });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** The code of an error in OpenAI's shape. */
export const code = ({ text }: Answer): string =>
  (JSON.parse(text) as { error: { code: string } }).error.code;

/** Opens a connection and writes `text`; `said` is what the server has answered. */
export function open(url: string, text: string): Promise<Socket & { said: string }> {
  return new Promise((resolve, reject) => {
    const socket = Object.assign(connect(Number(new URL(url).port), '127.0.0.1'), { said: '' });
    socket.setEncoding('utf8').on('data', (part: string) => {
      socket.said += part;
    });
    socket.once('connect', () => {
      socket
        .off('error', reject)
        .on('error', () => undefined)
        .write(text);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
