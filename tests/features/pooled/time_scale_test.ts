import assert from "node:assert/strict";
import { TimeScale } from "../../../src/features/pooled/time_scale.ts";

const MINUTE_MS = 60_000;

/** The half-life after a stream of gaps. */
function of(gaps: Iterable<number>): number {
  const scale = new TimeScale();
  for (const gap of gaps) scale.learn(gap);
  return scale.halfLifeMs;
}

Deno.test("TimeScale.halfLifeMs is 64 times the median gap, within a quarter of an octave", () => {
  for (const median of [2000, 40_000, MINUTE_MS, 86_400_000]) {
    const gaps = Array.from(
      { length: 1024 },
      (_, n) => n % 5 < 2 ? median / 3 : n % 5 === 2 ? median : 500 * median,
    );
    const ratio = of(gaps) / (64 * median);
    assert.ok(ratio > 2 ** -0.26 && ratio < 2 ** 0.26, `${ratio}`);
  }
});

Deno.test("TimeScale.halfLifeMs scales with the gaps", () => {
  const gaps = Array.from({ length: 500 }, (_, n) => 1000 * (1 + (n * 37) % 101));
  assert.equal(of(gaps.map((gap) => 64 * gap)), 64 * of(gaps));
});

Deno.test("TimeScale.learn() ignores gaps of 0, negative gaps and NaN", () => {
  assert.equal(of([0, -5, NaN]), of([]));
  assert.equal(of([]), 64 * MINUTE_MS);
});
