import * as tf from "@tensorflow/tfjs";
import { gru, stateAt } from "./gru.ts";
import { PLAIN } from "../../src/nn/kernels/plain.ts";
import { startTensorflow } from "./tensorflow.ts";
import { type FoldInput, type FoldOutput, goldenGruTests } from "../nn/layers/golden_gru.ts";

async function fold(input: FoldInput): Promise<FoldOutput> {
  await startTensorflow();
  const { form, parameters } = input;
  const names = [...parameters.shapes.keys()];
  const plain = form === "gru" || form === "gruResetBefore";
  return tf.tidy(() => {
    const mask = tf.tensor2d(input.mask.map((row) => [...row]));
    const fixed = tf.tensor2d(input.fixed.map((row) => [...row]));
    const run = (x: tf.Tensor, attention: tf.Tensor, start: tf.Tensor, ...blocks: tf.Tensor[]) => {
      const weights = Object.fromEntries(names.map((name, i) => [name, blocks[i] ?? tf.scalar(NaN)]));
      return gru(weights, "gru", form, { x, mask, start, ...(plain ? {} : { attention }) });
    };
    const inputs = [
      tf.tensor3d(input.x.map((row) => row.map((step) => [...step]))),
      tf.tensor2d(input.attention.map((row) => [...row])),
      tf.tensor2d(input.start.map((row) => [...row])),
      ...names.map((name) =>
        tf.tensor(parameters.block(name).slice(), [...parameters.shapes.get(name) ?? []])
      ),
    ] as [tf.Tensor, tf.Tensor, tf.Tensor, ...tf.Tensor[]];
    const states = run(...inputs);
    // tf.grads refuses an input that takes no part, like attention in a plain GRU: let it contribute zero.
    const gradients = tf.grads((...x) => {
      const [steps, attention, start, ...blocks] = x as typeof inputs;
      const final = stateAt(run(steps, attention, start, ...blocks), -1);
      return tf.add(tf.sum(tf.mul(final, fixed)), tf.mul(0, tf.sum(attention)));
    })(inputs);
    const [dx, da, ds, ...blocks] = gradients.map((gradient) => [...gradient.dataSync()]);
    return {
      states: [...states.dataSync()],
      final: [...stateAt(states, -1).dataSync()],
      parameters: Float32Array.from(blocks.flat()),
      x: dx ?? [],
      attention: da ?? [],
      start: ds ?? [],
    };
  });
}

goldenGruTests("gru()", fold, PLAIN, { corruptions: 20 });
