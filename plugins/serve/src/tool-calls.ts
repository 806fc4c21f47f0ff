// Splits tool calls from the text of a job's answers, piece by piece.
import type { ToolCallFormat, ToolCallReader } from '@lmflow/sdk';
import type { FunctionTool, PieceEvent } from './thread-messages.ts';

/** Splits the pieces of one job. */
export class ToolCallSplitter {
  readonly #format: ToolCallFormat;
  readonly #functions: ReadonlySet<string>;
  readonly #readers = new Map<number, ToolCallReader>();

  /** `tools` are those of the request. */
  constructor(format: ToolCallFormat, tools: readonly FunctionTool[]) {
    this.#format = format;
    this.#functions = new Set(tools.map((tool) => tool.function.name));
  }

  /** The piece with its calls beside its text. */
  split(piece: PieceEvent): PieceEvent {
    const { index, finishReason } = piece;
    const reader = this.#readers.get(index) ?? this.#format.reader(this.#functions);
    this.#readers.set(index, reader);
    const { text, calls } = reader.push(piece.text, finishReason !== undefined);
    return {
      ...piece,
      text,
      ...(calls.length > 0 ? { calls } : {}),
      ...(finishReason === 'stop' && reader.called ? { finishReason: 'tool_calls' } : {}),
    };
  }
}
