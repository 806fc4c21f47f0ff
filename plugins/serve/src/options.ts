// The section `serve` of the configuration.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';

// ipaddr.js alone takes 10.1 and 0x7f000001 for addresses too
const isNetwork = (text: string): boolean =>
  ipaddr.IPv4.isValidCIDRFourPartDecimal(text) || ipaddr.IPv6.isValidCIDR(text) || isIP(text) > 0;

const seconds = (): z.ZodNumber => z.number().positive().max(86_400);

export const serveOptions = z.object({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'Address to listen on. Anything but a loopback address lets others in: set an API key then.',
    ),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(8000)
    .describe('Port to listen on; 0 takes any free one.'),
  modelName: z
    .string()
    .min(1)
    .optional()
    .describe('Name that clients give as "model"; by default the last part of the key model.'),
  apiKey: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Clients must send it as a bearer token. The environment variable LMFLOW_API_KEY sets it too.',
    ),
  apiKeys: z
    .array(z.string().min(1))
    .default([])
    .describe('Further keys. With several, each is a client of its own in the queue.'),
  trustedProxies: z
    .array(z.string().refine(isNetwork, 'must be an address or a network as 10.0.0.0/8'))
    .default([])
    .describe(
      'Proxies (addresses or networks) whose X-Forwarded-For says which client a request is of.',
    ),
  allowedHosts: z
    .array(z.string())
    .default([])
    .describe(
      'Host names, besides localhost and IP addresses, that requests may be addressed to (against DNS rebinding).',
    ),
  allowedOrigins: z
    .array(z.string())
    .default([])
    .describe(
      'Web pages of other origins that may call the server, e.g. https://app.example; "*" for all.',
    ),
  chatPage: z.boolean().default(true).describe('Serve a chat page at /.'),
  maxConcurrent: z
    .int()
    .min(1)
    .default(8)
    .describe('Sequences decoded at the same time (prompts times n); other requests wait.'),
  maxQueue: z
    .int()
    .min(0)
    .default(64)
    .describe(
      'Requests that may wait; of further ones those of whoever has most waiting get 429 with Retry-After.',
    ),
  maxConnections: z
    .int()
    .min(1)
    .default(1024)
    .describe(
      'Open connections; a further one takes the place of one that has never asked for anything, or was answered longest ago.',
    ),
  maxBodyBytes: z.int().min(1024).default(1_048_576).describe('Largest request body in bytes.'),
  maxPromptTokens: z
    .int()
    .min(1)
    .optional()
    .describe('Longest prompt in tokens; by default what the context of the model holds.'),
  maxTokens: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Most tokens a client may ask for in one choice; by default what the context has left.',
    ),
  headersTimeout: seconds()
    .default(10)
    .describe('Seconds a client has to send the headers of a request.'),
  bodyTimeout: seconds().default(30).describe('Seconds a client has to send a whole request.'),
  requestTimeout: seconds()
    .default(600)
    .describe('Seconds a request may take in all, waiting included.'),
  shutdownTimeout: seconds()
    .default(30)
    .describe('Seconds that running requests have to finish after Ctrl-C.'),
});

/** Flags of training data that one could take for the command's own. */
export const forTraining = {
  truncation:
    'it cuts samples of training; --serve-max-prompt-tokens (serve.maxPromptTokens) limits prompts',
  packing:
    'it fills sequences of training; requests are decoded together, --serve-max-concurrent (serve.maxConcurrent) at most',
  blockSize:
    'it is the length of training sequences; set --generate-context-length (generate.contextLength)',
};

export type ServeOptions = z.output<typeof serveOptions>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    serve?: z.input<typeof serveOptions>;
  }
}
