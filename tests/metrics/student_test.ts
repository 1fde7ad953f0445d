import assert from "node:assert/strict";
import { studentQuantile } from "../../src/metrics/student.ts";

// SciPy 1.16: scipy.stats.t.ppf(p, freedom).
const TABLE = [
  [0.975, 1, 12.7062047],
  [0.975, 1.05, 11.3619077],
  [0.9, 1.3, 2.42594741],
  [0.975, 1.5, 6.0166631],
  [0.9995, 1.9, 36.6571713],
  [0.975, 2, 4.30265273],
  [0.975, 2.4, 3.68350429],
  [0.95, 3, 2.35336343],
  [0.9995, 4, 8.61030158],
  [0.99, 4.5, 3.52705089],
  [0.975, 5, 2.57058184],
  [0.999, 6, 5.20762624],
  [0.9, 7, 1.41492393],
  [0.975, 12.5, 2.16918594],
  [0.6, 100, 0.254022182],
  [0.975, 1e7, 1.95996434],
] as const;

Deno.test("studentQuantile() agrees with SciPy, for whole and fractional degrees of freedom", () => {
  for (const [p, freedom, wanted] of TABLE) {
    const got = studentQuantile(p, freedom);
    assert.ok(Math.abs(got / wanted - 1) < 1e-5, `${got} for ${p} with ${freedom}`);
    assert.equal(studentQuantile(1 - p, freedom), -studentQuantile(1 - (1 - p), freedom));
  }
});

Deno.test("studentQuantile() is continuous where it switches to a series", () => {
  for (const p of [0.6, 0.9, 0.975, 0.9999]) {
    const [below, above] = [studentQuantile(p, 3 - 1e-9), studentQuantile(p, 3)];
    assert.ok(Math.abs(below / above - 1) < 1e-5, `${below} and ${above} for ${p}`);
  }
});

Deno.test("studentQuantile() refuses a probability of 1, and less than one degree of freedom", () => {
  assert.throws(() => studentQuantile(0.9, 0.5), RangeError);
  assert.throws(() => studentQuantile(1, 3), RangeError);
});
