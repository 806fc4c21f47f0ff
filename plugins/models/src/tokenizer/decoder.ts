// From tokens to text in this process, token by token as answers come, by the library's decoders
// that cannot end it. The others decode in the tokenizer's process.
import { Tokenizer } from 'tokenizers';

/** The library's decoder of tokenizer.json, where it can do no harm here; undefined where it might. */
export function harmlessDecoder(decoder: unknown): ((tokens: string[]) => string) | undefined {
  if (decoder === null) return (tokens) => tokens.join(' ');
  if (!isHarmless(decoder)) return undefined;
  const empty = { type: 'BPE', vocab: {}, merges: [] };
  const native = Tokenizer.fromString(
    JSON.stringify({ version: '1.0', added_tokens: [], model: empty, decoder }),
  ).getDecoder()!;
  return (tokens) => native.decode(tokens);
}

/**
 * Whether a decoder neither searches with a regular expression of its file nor makes a text longer
 * than tokens and the spaces between them, nor cuts at the end (which the library does beyond it).
 */
function isHarmless(decoder: unknown): boolean {
  const { type, decoders, pattern, content, stop, suffix } = decoder as Record<string, unknown>;
  switch (type) {
    case 'ByteFallback':
    case 'ByteLevel':
    case 'Fuse':
    case 'Metaspace':
    case 'WordPiece':
      return true;
    case 'BPEDecoder':
      return suffix !== '';
    case 'Strip':
      return stop === 0;
    case 'Replace': {
      const text = (pattern as { readonly String?: string }).String ?? '';
      return text !== '' && (content as string).length <= text.length;
    }
    case 'Sequence':
      return (decoders as readonly unknown[]).every(isHarmless);
    default:
      return false;
  }
}
