import assert from "node:assert/strict";
import fc from "fast-check";
import { lateClickWeight } from "../../../src/nn/losses/delayed.ts";
import { samplingOffset } from "../../../src/nn/losses/log_odds.ts";
import { logisticLoss, type RowLoss, sigmoid } from "../../../src/nn/losses/logistic.ts";
import { assertClose, goldenTest } from "../../golden_vectors.ts";

interface LossCase {
  readonly inputs: {
    readonly z?: number[];
    readonly y: number[];
    readonly r?: number[];
    readonly phi?: number[];
  };
  readonly outputs: Record<string, Record<string, number[]> & { readonly loss: number }>;
  readonly grads: Record<string, { readonly inputs: { readonly z: number[] } }>;
}

// In float64 the vectors are accurate to their own rounding, nine significant digits.
const TOLERANCE = 1e-8;

const sampledLoss = (z: number, y: number, rate: number) => logisticLoss(z + samplingOffset(rate), y);
const lateClickLoss = (z: number, y: number, late: number) => logisticLoss(z, y, lateClickWeight(z, y, late));

const LOSSES: Record<string, (z: number, y: number, extra: number) => RowLoss> = {
  bce: logisticLoss,
  bceExtreme: logisticLoss,
  logOdds: sampledLoss,
  fnw: lateClickLoss,
  late: lateClickLoss,
};

goldenTest<LossCase>("losses equal every golden case in value and gradient", "losses.json", (cases) => {
  for (const [name, loss] of Object.entries(LOSSES)) {
    const found = cases[name];
    assert.ok(found, name);
    const { z = [], y, r, phi } = found.inputs;
    const rows = z.map((logit, i) => loss(logit, y[i] ?? NaN, (r ?? phi)?.[i] ?? 1));
    const want = found.outputs[name];
    assert.ok(want, name);
    assertClose(rows.map((row) => row.value), want.each ?? [], TOLERANCE, `${name}.each`);
    const mean = rows.reduce((sum, row) => sum + row.value, 0) / rows.length;
    assertClose([mean], [want.loss], TOLERANCE, `${name}.loss`);
    const gradients = rows.map((row) => row.gradient / rows.length);
    assertClose(gradients, found.grads[name]?.inputs.z ?? [], TOLERANCE, `${name} gradient`);
  }
}, { claims: (path) => /inputs|each$|loss$/.test(path) && !/metrics|oneLabel/.test(path) });

/** What each case has besides its losses. */
const FIGURES: Record<string, readonly string[]> = {
  bce: ["p"],
  bceExtreme: ["p"],
  logOdds: ["pSampled"],
  fnw: ["p", "weightPositive", "weightNegative"],
  late: ["p", "weightPositive", "weightNegative"],
};

goldenTest<LossCase>("probabilities and weights equal every golden case", "losses.json", (cases) => {
  for (const [name, figures] of Object.entries(FIGURES)) {
    const { inputs: { z = [], ...inputs }, outputs } = cases[name] ?? assert.fail(name);
    const want = outputs[name];
    const over = (f: (z: number, i: number) => number) => z.map(f);
    const at = (values: number[] | undefined, i: number) => values?.[i] ?? 1;
    const got: Record<string, number[]> = {
      p: over(sigmoid),
      pSampled: over((z, i) => sigmoid(z + samplingOffset(at(inputs.r, i)))),
      weightPositive: over((z, i) => lateClickWeight(z, 1, at(inputs.phi, i))),
      weightNegative: over((z, i) => lateClickWeight(z, 0, at(inputs.phi, i))),
    };
    for (const key of figures) assertClose(got[key] ?? [], want?.[key] ?? [], TOLERANCE, `${name}.${key}`);
  }
}, { claims: (path) => /\.(p|pSampled|weight\w+)$/.test(path) && !path.includes("inputs") });

Deno.test("logisticLoss() has the gradient of its value by central differences", () => {
  fc.assert(fc.property(fc.double({ min: -20, max: 20, noNaN: true }), fc.constantFrom(0, 1), (z, y) => {
    const h = 1e-5;
    const slope = (logisticLoss(z + h, y).value - logisticLoss(z - h, y).value) / (2 * h);
    assert.ok(Math.abs(slope - logisticLoss(z, y).gradient) < 1e-8);
  }));
});

Deno.test("every loss is finite and not negative at any logit", () => {
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(fc.property(fc.float({ noNaN: true }), fc.constantFrom(0, 1), unit, (any, y, late) => {
    const z = Math.max(-3e38, Math.min(3e38, any));
    for (const { value, gradient } of [logisticLoss(z, y), lateClickLoss(z, y, late)]) {
      assert.ok(value >= 0 && Number.isFinite(value) && Number.isFinite(gradient), `${z} ${y} ${late}`);
    }
  }));
});

Deno.test("lateClickWeight() puts the minimum of the loss at the true probability when clicks are late", () => {
  const p = 0.2, late = 0.6, z = Math.log(p / (1 - p));
  // Of n impressions: each click within the window is one positive; each late one a negative and a positive.
  const positives = p, negatives = 1 - p + p * late;
  const slope = positives * lateClickLoss(z, 1, late).gradient +
    negatives * lateClickLoss(z, 0, late).gradient;
  assert.ok(Math.abs(slope) < 1e-12);
});

Deno.test("samplingOffset() keeps the minimum at the true log-odds when negatives are sampled", () => {
  const p = 0.03, rate = 0.1, z = Math.log(p / (1 - p));
  const slope = p * sampledLoss(z, 1, rate).gradient + (1 - p) * rate * sampledLoss(z, 0, rate).gradient;
  assert.ok(Math.abs(slope) < 1e-12);
});

Deno.test("samplingOffset() refuses a rate outside (0, 1]", () => {
  for (const rate of [0, -0.1, 1.5, NaN]) assert.throws(() => samplingOffset(rate), RangeError);
});
