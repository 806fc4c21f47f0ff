// What the process that decodes Parquet runs. The other end of the channel: parquet-process.ts.

/** Ends the process where it passes a limit, also while its main thread decodes. */
const WATCH = `
const { workerData: limits } = require('node:worker_threads');
const { writeSync } = require('node:fs');
setInterval(() => {
  const full = process.memoryUsage.rss() > limits[0];
  if (!full && Date.now() < limits[1]) return;
  writeSync(2, full ? 'out of memory' : 'out of time');
  process.kill(process.pid, 'SIGKILL');
}, 20);
`;

/**
 * Plain JavaScript, given as text: it must also run where this file is a TypeScript source or part
 * of a bundle. Its arguments are the addresses of hyparquet and hyparquet-compressors. Limits: an
 * honest file needs much less than LEAST and 24 bytes for one of its own.
 */
export const DECODER = `
import { serialize } from 'node:v8';
import { Worker } from 'node:worker_threads';

const [hyparquet, { compressors }] =
  await Promise.all([import(process.argv[1]), import(process.argv[2])]);
const LEAST = { bytes: 512 * 2 ** 20, milliseconds: 15_000 };
const BLOCK = 2 ** 22;
const limits = new Float64Array(new SharedArrayBuffer(16)).fill(Infinity);
new Worker(${JSON.stringify(WATCH)}, { eval: true, execArgv: [], workerData: limits });
// Ctrl-C reaches the whole group; the parent may still need this.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => {});

const decoder = new TextDecoder();
// The parent parses JSON.
const parsers = { jsonFromBytes: (bytes) => bytes && decoder.decode(bytes) };
let file;
let metadata;
let rows = [];

// hyparquet multiplies decimals by a float, which costs digits. Here they stay what is stored; the
// parent has the schema as it was.
function keepDecimals() {
  for (const element of metadata.schema) {
    const { converted_type: converted, logical_type: logical, type } = element;
    if (converted !== 'DECIMAL' && logical?.type !== 'DECIMAL') continue;
    delete element.converted_type;
    delete element.logical_type;
    if (type !== 'BYTE_ARRAY') continue;
    // it would be read as text
    element.logical_type = { type: 'GEOMETRY' };
    parsers.geometryFromBytes = (bytes) => bytes;
  }
}

function limit(bytes) {
  limits[0] = process.memoryUsage.rss() + LEAST.bytes + 24 * bytes;
  limits[1] = Date.now() + LEAST.milliseconds + bytes / 1000;
}

const requests = {
  async open({ path }) {
    rows = [];
    limit(0);
    delete parsers.geometryFromBytes;
    file = await hyparquet.asyncBufferFromFile(path);
    metadata = await hyparquet.parquetMetadataAsync(file);
    const groups = metadata.row_groups.map((group) => Number(group.num_rows));
    const schema = structuredClone(hyparquet.parquetSchema(metadata));
    keepDecimals();
    return { schema, groups, bytes: file.byteLength };
  },
  async group({ index, rowStart, rowEnd }) {
    rows = [];
    const sizes = metadata.row_groups[index].columns.map(
      (column) => Number(column.meta_data?.total_compressed_size ?? 0));
    limit(Math.min(file.byteLength, sizes.reduce((sum, size) => sum + size, 0)));
    const request = { file, metadata, compressors, parsers, rowStart, rowEnd };
    rows = await hyparquet.parquetReadObjects(request);
    return rows.length;
  },
  block({ from }) {
    const block = [];
    for (let size = 0; size < BLOCK && from + block.length < rows.length;) {
      const row = serialize(rows[from + block.length]);
      block.push(row);
      size += row.length;
    }
    return block;
  },
};

process.on('message', async (request) => {
  let reply;
  try {
    reply = { value: await requests[request.kind](request) };
  } catch (error) {
    // hyparquet believes what a file says, until something is not there
    const invalid = error instanceof TypeError || error instanceof RangeError;
    reply = { error: invalid ? 'it is not valid Parquet' : String(error && error.message || error) };
  }
  if (request.kind !== 'group') limits.fill(Infinity);
  else limits[1] = Infinity;
  process.send(reply);
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.send({ value: 'ready' });
`;
