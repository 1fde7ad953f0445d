import assert from "node:assert/strict";
import { KerasAdam, QUIET_STEPS } from "../../../../scripts/research/notebook/keras_adam.ts";
import { createRandom } from "../../../../src/draws/random_source.ts";

/** The plain loop that Keras runs: every row, every step, in double precision. */
class PlainAdam {
  readonly values: Float64Array;
  readonly gradients: Float64Array;
  readonly #m: Float64Array;
  readonly #v: Float64Array;
  #t = 0;

  constructor(values: ArrayLike<number>) {
    this.values = Float64Array.from(values);
    this.gradients = new Float64Array(values.length);
    this.#m = new Float64Array(values.length);
    this.#v = new Float64Array(values.length);
  }

  step(): void {
    this.#t++;
    const rate = 1e-3 * Math.sqrt(1 - 0.999 ** this.#t) / (1 - 0.9 ** this.#t);
    for (let o = 0; o < this.values.length; o++) {
      const g = this.gradients[o]!;
      this.#m[o] = 0.9 * this.#m[o]! + 0.1 * g;
      this.#v[o] = 0.999 * this.#v[o]! + 0.001 * g * g;
      this.values[o]! -= rate * this.#m[o]! / (Math.sqrt(this.#v[o]!) + 1e-7);
    }
    this.gradients.fill(0);
  }
}

Deno.test("KerasAdam.step() equals the plain loop over the table, also for rows that slept", () => {
  const [rows, width, random] = [8, 3, createRandom(11)];
  const values = Float32Array.from({ length: rows * width }, () => random() - 0.5);
  const plain = new PlainAdam(values);
  const adam = new KerasAdam(values, { width });
  for (let step = 0; step < 6 * QUIET_STEPS; step++) {
    // Row 0 at every step, row 7 about every 1,500 steps: most rows fall asleep and wake up again.
    for (let row = 0; row < rows; row++) {
      if (random() > 0.35 ** row) continue;
      for (let x = 0; x < width; x++) {
        const gradient = Math.fround(random() - 0.4);
        adam.gradients[adam.touch(row) + x]! += gradient;
        plain.gradients[row * width + x]! += gradient;
      }
    }
    adam.step();
    plain.step();
  }
  for (let o = 0; o < values.length; o++) {
    assert.ok(
      Math.abs(values[o]! - plain.values[o]!) < 2e-5,
      `weight ${o}: ${values[o]} vs ${plain.values[o]}`,
    );
  }
});

Deno.test("KerasAdam.step() goes on moving a row for a while after its gradient", () => {
  const values = new Float32Array(2);
  const adam = new KerasAdam(values, { width: 1 });
  adam.gradients[adam.touch(0)] = 1;
  adam.step();
  const [after] = values;
  adam.step();
  assert.ok(values[0]! < after!);
  assert.equal(values[1], 0);
});
