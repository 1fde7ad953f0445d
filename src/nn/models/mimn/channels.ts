/**
 * How a candidate reads MIMN's channels: v = Σ a_i S_i with a = softmax of S_i W qᵀ over the channels that some
 * behaviour has touched (S_i ≠ 0); v = 0 while there is none. Forward and backward.
 */

import type { Parameters } from "../../kernels/parameters.ts";
import { normalise, normaliseBackward } from "../../layers/attention.ts";
import { Bilinear } from "../../layers/bilinear.ts";
import { Layer } from "../../layers/layer.ts";

// K candidates, m channels, n of them touched, d width

/** Attention over channels, with the block `reader.W` [d, d]. `backward` follows a `forward`. */
export class ChannelReader extends Layer {
  readonly #width: number;
  readonly #bilinear: Bilinear;
  readonly #h = this.scratch();
  readonly #weights = this.scratch();
  readonly #dweights = this.scratch();
  readonly #dh = this.scratch();
  #scores: Float32Array = new Float32Array(0);
  #touched: number[] = [];

  constructor(parameters: Parameters, width: number) {
    super(parameters);
    this.#width = width;
    this.#bilinear = new Bilinear(parameters, "reader");
  }

  /** Adds the read vectors of q [K, d] to v [K, d]. */
  forward(v: Float32Array, K: number, q: Float32Array, channels: Float32Array): void {
    const d = this.#width;
    this.#touched = [];
    for (let i = 0; i < channels.length; i += d) {
      for (let j = i; j < i + d; j++) {
        if (channels[j] === 0) continue;
        this.#touched.push(i);
        break;
      }
    }
    const n = this.#touched.length;
    const h = this.#h.take(n * d), weights = this.#weights.take(K * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0, from = this.#touched[i]!; j < d; j++) h[i * d + j] = channels[from + j]!;
    }
    this.#scores = this.#bilinear.forward({ T: n, K, h, q });
    normalise(weights, this.#scores, n, "softmax");
    this.kernels.addXW(v, 0, weights, 0, h, 0, K, n, d);
  }

  /** Given dv [K, d], adds to dq [K, d], dchannels [m, d] and the parameters' gradients. */
  backward(
    dv: Float32Array,
    K: number,
    q: Float32Array,
    into: { readonly q: Float32Array; readonly channels: Float32Array; readonly parameters: Float32Array },
  ): void {
    const d = this.#width, n = this.#touched.length;
    const h = this.#h.current, weights = this.#weights.current;
    const dh = this.#dh.zeros(n * d), dweights = this.#dweights.zeros(K * n);
    this.kernels.addXtY(dh, 0, weights, 0, dv, 0, K, n, d);
    this.kernels.addYWt(dweights, 0, dv, 0, h, 0, K, n, d);
    normaliseBackward(dweights, weights, this.#scores, n, "softmax");
    this.#bilinear.backward({ T: n, K, h, q }, dweights, { h: dh, q: into.q, parameters: into.parameters });
    for (let i = 0; i < n; i++) {
      for (let j = 0, to = this.#touched[i]!; j < d; j++) into.channels[to + j]! += dh[i * d + j]!;
    }
  }
}
