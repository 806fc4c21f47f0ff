// The Euclidean norm over all gradients. The engine squares and adds the large ones, in blocks of
// float32; the blocks are added in float64.
import type { Engine, Program } from '@lmflow/sdk';
import { Graph, mul, sum } from '@lmflow/sdk/graph';

/** Numbers in a block: few enough that their sum in float32 is exact to six digits. */
const BLOCK = 1024;
/** Least number of blocks for which a run of the engine is faster. */
const FEWEST = 64;

export class GradientNorm {
  readonly #engine: Engine;
  /** By number of blocks. */
  readonly #programs = new Map<number, Program>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async of(gradients: Iterable<Float32Array>): Promise<number> {
    let total = 0;
    for (const gradient of gradients) {
      const blocks = Math.floor(gradient.length / BLOCK);
      const byEngine = blocks < FEWEST ? 0 : blocks;
      if (byEngine > 0) {
        total += await this.#squares(gradient.subarray(0, byEngine * BLOCK), byEngine);
      }
      total += squareOf(gradient.subarray(byEngine * BLOCK));
    }
    return Math.sqrt(total);
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await program.dispose();
    this.#programs.clear();
  }

  async #squares(numbers: Float32Array, blocks: number): Promise<number> {
    const program = this.#programs.get(blocks) ?? (await this.#compile(blocks));
    this.#programs.set(blocks, program);
    const input = await this.#engine.upload(numbers, [blocks, BLOCK], 'float32');
    const { squares } = await program.run({ numbers: input });
    let total = 0;
    for (const square of (await squares!.read()) as Float32Array) total += square;
    input.dispose();
    squares!.dispose();
    return total;
  }

  #compile(blocks: number): Promise<Program> {
    const graph = new Graph();
    const numbers = graph.input('numbers', 'float32', [blocks, BLOCK]);
    graph.output('squares', sum(mul(numbers, numbers), { axes: [1] }));
    return this.#engine.compile(graph, { name: `gradient norm [${blocks}]` });
  }
}

function squareOf(gradient: Float32Array): number {
  let total = 0;
  for (let index = 0; index < gradient.length; index++) {
    total += gradient[index]! * gradient[index]!;
  }
  return total;
}
