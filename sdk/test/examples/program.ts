import { grad, Graph, interpret, matMul, mean, mul, ndarray, sub } from '@lmflow/sdk/graph';

// Mean squared error of a linear model.
const graph = new Graph();
const x = graph.input('x', 'float32', [4, 2]);
const y = graph.input('y', 'float32', [4, 1]);
const weight = graph.input('weight', 'float32', [2, 1]);
const error = sub(matMul(x, weight), y);
const loss = mean(mul(error, error));
const [gradient] = grad(loss, [weight]);
graph.output('loss', loss);
graph.output('gradient', gradient!);

const results = interpret(graph, {
  x: ndarray([4, 2], [1, 0, 0, 1, 1, 1, 2, 1]),
  y: ndarray([4, 1], [1, 2, 3, 4]),
  weight: ndarray([2, 1], [0, 0]),
});
export const lossAtZero = results.loss!.data[0]; // 7.5
export const direction = [...results.gradient!.data]; // [-6, -4.5]
