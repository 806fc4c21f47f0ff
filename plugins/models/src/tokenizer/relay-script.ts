// The script of the worker thread between a tokenizer and its child process. It starts the child,
// sends it one request after the other, and posts the outcome of each; the main thread may wait.
// The child's script is in child-script.ts.

/**
 * Plain JavaScript as text, like the child's. Messages from the port: { id, request } with bytes
 * for the child; without a request the answer is that to loading. Messages to the port:
 * { id, answer } or { id, failure }. `signal` counts these.
 */
export const RELAY = `
const { spawn } = require('node:child_process');
const { workerData: { port, signal, script, args, load, limit } } =
  require('node:worker_threads');
const queue = [];
let child;
let current;

function start() {
  const env = { ...process.env, NODE_OPTIONS: '', RUST_BACKTRACE: '0' };
  const mine = spawn(process.execPath, ['-e', script, ...args], { env, windowsHide: true });
  child = mine;
  let stderrTail = '';
  let parts = [];
  let have = 0;
  const over = (kind, detail) => { if (child === mine) end(kind, detail); };
  mine.stderr.on('data', (text) => { stderrTail = (stderrTail + text).slice(-4096); });
  mine.stdin.on('error', () => {});
  mine.on('error', (error) => over('start', error.message));
  mine.on('close', (code, by) => {
    const panic = /panicked at [^\\n]*\\n([^\\n]+)/.exec(stderrTail);
    over('crash', panic ? panic[1] : by ? 'ended by ' + by : 'ended with exit code ' + code);
  });
  mine.stdout.on('data', (part) => {
    if (child !== mine) return;
    parts.push(part);
    have += part.length;
    if (have < 4) return;
    if (parts.length > 1 && parts[0].length < 4) parts = [Buffer.concat(parts)];
    const length = parts[0].readUInt32LE();
    if (length === 0) return over('memory');
    if (have < length + 4) return;
    const answer = new Uint8Array(length);
    answer.set(Buffer.concat(parts).subarray(4));
    [parts, have] = [[], 0];
    finish({ answer }, [answer.buffer]);
  });
  send({ request: load });
}

function send(job) {
  current = job;
  const { buffer, byteOffset, byteLength } = job.request;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(byteLength);
  child.stdin.write(length);
  child.stdin.write(Buffer.from(buffer, byteOffset, byteLength));
  job.timer = setTimeout(() => end('slow'), limit);
}

function finish(result, transfer) {
  clearTimeout(current.timer);
  const { id } = current.id === undefined ? asksForLoading() : current;
  current = undefined;
  if (id !== undefined) post(id, result, transfer);
  next();
}

function asksForLoading() {
  return queue.length > 0 && !queue[0].request ? queue.shift() : {};
}

function end(kind, detail) {
  const stopped = child;
  child = undefined;
  stopped.kill('SIGKILL');
  if (!current) return;
  clearTimeout(current.timer);
  const loading = current.id === undefined;
  const { id } = loading ? queue.shift() : current;
  current = undefined;
  post(id, { failure: { kind, detail, loading } });
  next();
}

function post(id, result, transfer = []) {
  port.postMessage({ id, ...result }, transfer);
  Atomics.add(signal, 0, 1);
  Atomics.notify(signal, 0);
}

function next() {
  if (current || queue.length === 0) return;
  if (!child) return start();
  if (!queue[0].request) return send({ request: load });
  send(queue.shift());
}

port.on('message', (job) => { queue.push(job); next(); });
`;
