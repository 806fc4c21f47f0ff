// The section `serve`: the options of the server.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';

// ipaddr.js alone also accepts 10.1 and 0x7f000001
const isNetwork = (text: string): boolean =>
  ipaddr.IPv4.isValidCIDRFourPartDecimal(text) || ipaddr.IPv6.isValidCIDR(text) || isIP(text) > 0;

const seconds = (): z.ZodNumber => z.number().positive().max(86_400);

export const serveOptions = z.object({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'Address to listen on. Other machines reach any but a loopback address: set an API key then.',
    ),
  port: z.int().min(0).max(65_535).default(8000).describe('Port to listen on; 0 for any free one.'),
  modelName: z
    .string()
    .min(1)
    .optional()
    .describe('Name that clients send as "model"; by default the last part of the option model.'),
  apiKey: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Bearer token that clients must send; also set by the environment variable LMFLOW_API_KEY.',
    ),
  apiKeys: z
    .array(z.string().min(1))
    .default([])
    .describe('More keys. With several, the queue counts each key as a client.'),
  trustedProxies: z
    .array(z.string().refine(isNetwork, 'must be an address or a network such as 10.0.0.0/8'))
    .default([])
    .describe(
      'Proxies (addresses or networks) whose X-Forwarded-For names the client of a request.',
    ),
  allowedHosts: z
    .array(z.string())
    .default([])
    .describe(
      'Host names that requests may use besides localhost and IP addresses (against DNS rebinding).',
    ),
  allowedOrigins: z
    .array(z.string())
    .default([])
    .describe(
      'Origins of web pages that may call the server, for example https://app.example; "*" for all.',
    ),
  chatPage: z.boolean().default(true).describe('Serve a chat page at /.'),
  maxConcurrent: z
    .int()
    .min(1)
    .default(8)
    .describe('Most sequences decoded together (prompts times n); other requests wait.'),
  maxQueue: z
    .int()
    .min(0)
    .default(64)
    .describe(
      'Most requests that wait; beyond, the client with most of them gets 429 with Retry-After.',
    ),
  maxConnections: z
    .int()
    .min(1)
    .default(1024)
    .describe(
      'Most open connections; another one replaces one without a request, or the longest idle.',
    ),
  maxBodyBytes: z.int().min(1024).default(1_048_576).describe('Largest request body in bytes.'),
  maxPromptTokens: z
    .int()
    .min(1)
    .optional()
    .describe("Longest prompt in tokens; by default what the model's context holds."),
  maxTokens: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Largest number of tokens that a client may request per choice; default: what the context leaves.',
    ),
  headersTimeout: seconds()
    .default(10)
    .describe('Seconds that a client has to send the headers of a request.'),
  bodyTimeout: seconds().default(30).describe('Seconds that a client has to send a whole request.'),
  requestTimeout: seconds()
    .default(600)
    .describe('Seconds that a request may take, waiting included.'),
  shutdownTimeout: seconds()
    .default(30)
    .describe('Seconds that running requests have to finish after Ctrl-C.'),
});

/** Flags of training data that look like flags of the command, with what to set instead. */
export const forTraining = {
  truncation:
    'it is for training data; for prompts set --serve-max-prompt-tokens (serve.maxPromptTokens)',
  packing: 'it is for training data; requests are decoded together, up to serve.maxConcurrent',
  blockSize:
    'it is for training data; for prompts set --generate-context-length (generate.contextLength)',
};

export type ServeOptions = z.output<typeof serveOptions>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    serve?: z.input<typeof serveOptions>;
  }
}
