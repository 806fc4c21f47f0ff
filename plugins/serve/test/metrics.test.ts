// /metrics: the names that dashboards and alarms are made of, and whom they count for.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withServer } from './fake.ts';

const scrape = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();

test('every figure has its name, help and type', () =>
  withServer({}, async ({ url }) => {
    const response = await fetch(`${url}/metrics`);
    assert.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith('#'));
    assert.equal(lines, [
      '# HELP lmflow_requests_waiting Requests that wait for their turn.',
      '# TYPE lmflow_requests_waiting gauge',
      '# HELP lmflow_requests_running Requests that are decoded.',
      '# TYPE lmflow_requests_running gauge',
      '# HELP lmflow_sequences_running Sequences that are decoded.',
      '# TYPE lmflow_sequences_running gauge',
      '# HELP lmflow_http_connections Open connections.',
      '# TYPE lmflow_http_connections gauge',
      '# HELP process_resident_memory_bytes Resident memory of the process.',
      '# TYPE process_resident_memory_bytes gauge',
      '# HELP lmflow_http_heap_bytes Heap in use in the HTTP thread.',
      '# TYPE lmflow_http_heap_bytes gauge',
      '# HELP lmflow_http_requests_total Answers by route and status; 499 means that the client went away.',
      '# TYPE lmflow_http_requests_total counter',
      '# HELP lmflow_tokens_total Tokens read (prompt) and written (completion).',
      '# TYPE lmflow_tokens_total counter',
      '# HELP lmflow_http_request_seconds Time from the request to the end of its answer.',
      '# TYPE lmflow_http_request_seconds histogram',
      '# HELP lmflow_wait_seconds Time that a request waited for its turn.',
      '# TYPE lmflow_wait_seconds histogram',
      '# HELP lmflow_first_token_seconds Time from the request to its first token.',
      '# TYPE lmflow_first_token_seconds histogram',
    ]);
  }));

test('a server counts its own requests and tokens only, by route of the router', () =>
  withServer({}, (first) =>
    withServer({}, async (second) => {
      const answer = await fetch(`${first.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'fake', prompt: 'abc' }),
      });
      await answer.text();
      await (await fetch(`${first.url}/made/up/"by\n`)).text();
      const text = await scrape(first.url);
      assert.match(text, /^lmflow_tokens_total\{kind="prompt"\} 3$/m);
      assert.match(text, /^lmflow_tokens_total\{kind="completion"\} 3$/m);
      assert.match(text, /^lmflow_http_requests_total\{route="unknown",status="404"\} 1$/m);
      assert.match(text, /^lmflow_wait_seconds_count 1$/m);
      assert.match(text, /^lmflow_first_token_seconds_bucket\{le="600"\} 1$/m);
      assert.match(text, /^process_resident_memory_bytes \d+$/m);
      assert.not.match(await scrape(second.url), /^lmflow_tokens_total\{/m);
    }),
  ));

test.run();
