// Errors as OpenAI's API writes them, {"error": {"message", "type", "param", "code"}}: one function
// each. They go to HTTP clients and are no LMFlowErrors.

/** An error that a client gets as an answer. */
export class Failure extends Error {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly parameter: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    details: {
      type?: string;
      code?: string;
      parameter?: string;
      headers?: Record<string, string>;
    } = {},
  ) {
    super(message);
    this.status = status;
    this.type = details.type ?? 'invalid_request_error';
    this.code = details.code ?? null;
    this.parameter = details.parameter ?? null;
    this.headers = details.headers ?? {};
  }

  get body(): {
    error: { message: string; type: string; param: string | null; code: string | null };
  } {
    return {
      error: { message: this.message, type: this.type, param: this.parameter, code: this.code },
    };
  }
}

export const invalid = (message: string, parameter?: string, code?: string): Failure =>
  new Failure(400, message, {
    ...(parameter === undefined ? {} : { parameter }),
    ...(code === undefined ? {} : { code }),
  });
export const missing = (parameter: string): Failure =>
  invalid(`the parameter '${parameter}' is missing`, parameter, 'missing_required_parameter');
export const unsupported = (parameter: string, why: string): Failure =>
  invalid(`'${parameter}' is not supported: ${why}`, parameter, 'unsupported_parameter');
export const unknownParameter = (parameter: string): Failure =>
  invalid(`Unrecognized request argument supplied: ${parameter}`, parameter, 'unknown_parameter');
export const wrongType = (): Failure =>
  new Failure(
    415,
    "The body must be JSON in UTF-8. Send the header 'content-type: application/json'.",
    { code: 'unsupported_media_type' },
  );
export const wrongEncoding = (encoding: string): Failure =>
  new Failure(415, `The content-encoding '${encoding}' is not supported. Send the body as it is.`, {
    code: 'unsupported_media_type',
    headers: { 'accept-encoding': 'identity' },
  });
export const notUtf8 = (): Failure =>
  invalid('The body is not valid UTF-8', undefined, 'invalid_utf8');
export const tooDeep = (most: number): Failure =>
  invalid(`The body is nested deeper than ${most} levels`, undefined, 'invalid_body');
export const wrongExpectation = (expectation: string): Failure =>
  new Failure(417, `The server cannot do what 'expect: ${expectation}' asks for`, {
    code: 'expectation_failed',
  });
export const wrongTarget = (target: string): Failure =>
  invalid(
    `The request's target '${target}' is not a path: this server is no proxy`,
    undefined,
    'invalid_target',
  );
export const oneHost = (hosts: number): Failure =>
  invalid(`The request has ${hosts} Host headers instead of one`, undefined, 'invalid_host');
export const modelNotFound = (model: string): Failure =>
  new Failure(404, `The model '${model}' does not exist. See /v1/models for those that do.`, {
    code: 'model_not_found',
    parameter: 'model',
  });
export const noSuchPath = (method: string, path: string): Failure =>
  new Failure(404, `Unknown request URL: ${method} ${path}`, { code: 'unknown_url' });
export const wrongKey = (isSent: boolean): Failure =>
  new Failure(
    401,
    isSent
      ? 'Incorrect API key provided'
      : 'No API key provided. Send it as "Authorization: Bearer <key>".',
    {
      code: 'invalid_api_key',
      type: 'authentication_error',
      headers: { 'www-authenticate': 'Bearer' },
    },
  );
export const wrongHost = (host: string): Failure =>
  new Failure(
    403,
    `This server does not answer for the host '${host}'. Add it to serve.allowedHosts.`,
    { code: 'host_not_allowed', type: 'permission_error' },
  );
export const wrongOrigin = (origin: string): Failure =>
  new Failure(
    403,
    `Pages of '${origin}' may not call this server. Add the origin to serve.allowedOrigins.`,
    { code: 'origin_not_allowed', type: 'permission_error' },
  );
export const queueFull = (seconds: number): Failure =>
  new Failure(429, 'Too many requests are waiting', {
    code: 'queue_full',
    type: 'rate_limit_error',
    headers: { 'retry-after': String(seconds) },
  });
export const shuttingDown = (): Failure =>
  new Failure(503, 'The server is shutting down', {
    code: 'shutting_down',
    type: 'server_error',
    headers: { connection: 'close' },
  });
export const tookTooLong = (seconds: number): Failure =>
  new Failure(504, `The request took longer than ${seconds} s`, {
    code: 'timeout',
    type: 'server_error',
  });
export const clientGone = (): Failure =>
  new Failure(499, 'The client has gone away', { code: 'client_gone' });
export const routeFailed = (): Failure =>
  new Failure(500, 'The route failed', { type: 'server_error', code: 'route_failed' });
export const broken = (message: string): Failure =>
  new Failure(500, message, { type: 'server_error', code: 'generation_failed' });
