// What the child process of a tokenizer runs: the native library, which ends its whole process
// where a regular expression of tokenizer.json gives up. The other end of the pipe: relay-script.ts.

/**
 * Plain JavaScript, given as text: it must also run where this file is a TypeScript source or part
 * of a bundle. Frames are a length of four bytes and what v8.serialize makes; an empty one says
 * that memory runs out.
 */
export const CHILD = `
const v8 = require('node:v8');
const { Tokenizer, AddedToken } = require(process.argv[1]);
const MOST_MEMORY = Number(process.argv[2]);
// Ctrl-C reaches the whole group; the parent may still need this.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => {});
let tokenizer;

const requests = {
  load({ json, added }) {
    tokenizer = Tokenizer.fromString(json);
    let read = JSON.parse(json);
    const has = new Set((read.added_tokens ?? []).map(({ content }) => content));
    const absent = added.filter(({ content }) => !has.has(content));
    for (const { content, special, id, ...options } of absent) {
      tokenizer.addAddedTokens([new AddedToken(content, special, options)]);
      const assigned = tokenizer.tokenToId(content);
      if (assigned !== id) return { conflict: { content, id, assigned } };
    }
    const changed = absent.length > 0 ? serialized() : undefined;
    if (changed) read = JSON.parse(changed);
    tokenizer.disableTruncation();
    tokenizer.disablePadding();
    const { model, added_tokens: known, decoder } = read;
    const list = Array.isArray(model.vocab);
    const tokens = list ? model.vocab.map(([token]) => token) : Object.keys(model.vocab);
    return {
      json: changed,
      decoder: decoder ?? null,
      tokens,
      ids: Uint32Array.from(tokens, (token, index) => (list ? index : model.vocab[token])),
      added: (known ?? []).map(({ content, special }) => (
        { content, special, id: tokenizer.tokenToId(content) })),
    };
  },
  async encode({ texts, addSpecialTokens }) {
    const encodings = await tokenizer.encodeBatch(texts, { addSpecialTokens });
    return encodings.map((encoding) => ({
      ids: Int32Array.from(encoding.getIds()),
      offsets: Int32Array.from(encoding.getOffsets().flat()),
    }));
  },
  decode: ({ tokens }) => tokenizer.getDecoder().decode(tokens),
};

function serialized() {
  const { mkdtempSync, readFileSync, rmSync } = require('node:fs');
  const { join } = require('node:path');
  const folder = mkdtempSync(join(require('node:os').tmpdir(), 'lmflow-tokenizer-'));
  try {
    tokenizer.save(join(folder, 'tokenizer.json'), true);
    return readFileSync(join(folder, 'tokenizer.json'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function send(bytes) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  process.stdout.write(length);
  process.stdout.write(bytes);
}

async function answer(request) {
  const most = process.memoryUsage.rss() + MOST_MEMORY;
  const watch = setInterval(() => {
    if (process.memoryUsage.rss() > most) send(Buffer.alloc(0));
  }, 100);
  try {
    return { value: await requests[request.kind](request) };
  } catch (error) {
    return { error: String(error && error.message || error) };
  } finally {
    clearInterval(watch);
  }
}

let parts = [];
let have = 0;
let wanted = -1;
process.stdin.on('data', (part) => {
  parts.push(part);
  have += part.length;
  if (wanted < 0 && have < 4) return;
  if (wanted < 0) {
    parts = [Buffer.concat(parts)];
    wanted = parts[0].readUInt32LE() + 4;
  }
  if (have < wanted) return;
  const request = v8.deserialize(Buffer.concat(parts).subarray(4));
  [parts, have, wanted] = [[], 0, -1];
  answer(request).then((reply) => send(v8.serialize(reply)));
});
// Nothing of the library's threads is waited for.
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
`;
