import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { symmetricInterval, type WeightedMean } from "../../src/metrics/symmetric_sequence.ts";

/** The weighted mean of numbers. */
function meanOf(values: readonly (readonly [x: number, weight: number])[]): WeightedMean {
  const weight = values.reduce((sum, [, w]) => sum + w, 0);
  return {
    value: values.reduce((sum, [x, w]) => sum + w * x, 0) / weight,
    weight,
    residuals: (mean) => values.reduce((sum, [x, w]) => sum + (w * (x - mean)) ** 2, 0),
  };
}

const ALPHA = 0.05;
const options = { alpha: ALPHA, tunedFor: 100 };

Deno.test("symmetricInterval() ends where the mixture martingale reaches 1/α", () => {
  const random = mulberry32(3);
  // ρ as the docs say: narrowest at `tunedFor`.
  const twice = 2 * Math.log(1 / ALPHA);
  const rho = 100 / (twice + Math.log(1 + twice));
  for (let run = 0; run < 50; run++) {
    const values = Array.from({ length: 40 }, () => {
      return [random() < 0.6 ? 1 : -random(), 0.5 + random()] as const;
    });
    const interval = symmetricInterval(meanOf(values), options);
    for (const end of [interval.low, interval.high]) {
      if (Math.abs(end) === 1) continue;
      const [sum, spread] = values.reduce(
        ([sum, spread], [x, w]) => [sum + w * (x - end), spread + (w * (x - end)) ** 2],
        [0, 0],
      );
      // M = ∫ exp(λS − λ²V/2) dN(0, 1/ρ) = √(ρ/(ρ + V)) exp(S²/(2 (V + ρ)))
      const capital = Math.sqrt(rho / (rho + spread)) * Math.exp(sum ** 2 / (2 * (spread + rho)));
      assert.ok(Math.abs(capital * ALPHA - 1) < 1e-6, `${capital} at ${end}`);
    }
    assert.ok(interval.low < interval.high);
  }
});

Deno.test("symmetricInterval() rarely excludes the centre of symmetric values, at any look and of any sizes", () => {
  const random = mulberry32(8);
  let wrong = 0;
  const runs = 300;
  for (let run = 0; run < runs; run++) {
    let [sum, weight, squares, isOut] = [0, 0, 0, false];
    for (let n = 1; n <= 400 && !isOut; n++) {
      const w = n % 7 === 0 ? 3 : random(); // heavy ones now and then
      const x = (random() < 0.5 ? 1 : -1) * random();
      [sum, weight, squares] = [sum + w * x, weight + w, squares + (w * x) ** 2];
      const mean = {
        value: sum / weight,
        weight,
        // Only its value at 0 decides whether 0 is inside, apart from the bisection.
        residuals: (m: number) => squares + m * m * weight,
      };
      const { low, high } = symmetricInterval(mean, options);
      isOut = low > 0 || high < 0;
    }
    wrong += Number(isOut);
  }
  assert.ok(wrong <= ALPHA * runs + 3 * Math.sqrt(ALPHA * runs), `${wrong} of ${runs}`);
  assert.ok(wrong > 0, "the interval is not too wide to be useful");
});

Deno.test("symmetricInterval() is narrowest where it is tuned, and covers everything without values", () => {
  const values = Array.from({ length: 100 }, (_, n) => [n % 2 === 0 ? 1 : -1, 1] as const);
  const width = (tunedFor: number) => {
    const { low, high } = symmetricInterval(meanOf(values), { alpha: ALPHA, tunedFor });
    return high - low;
  };
  assert.ok(width(100) < Math.min(width(60), width(170)));
  const none = { value: 0, weight: 0, residuals: () => 0 };
  assert.deepEqual(symmetricInterval(none, options), { low: -1, high: 1 });
});
