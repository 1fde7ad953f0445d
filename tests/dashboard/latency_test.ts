import assert from "node:assert/strict";
import { LatencyWindow } from "../../streams/experiments/latency.ts";

Deno.test("LatencyWindow.percentile() is within about 5 % of the exact percentile", () => {
  const window = new LatencyWindow(10);
  const times = Array.from({ length: 1000 }, (_, n) => 0.05 * 1.01 ** n);
  for (const ms of times) window.add(ms);
  assert.equal(window.count, 1000);
  for (const share of [0.01, 0.5, 0.95, 0.99]) {
    const exact = times[Math.ceil(share * times.length) - 1]!;
    const ratio = window.percentile(share)! / exact;
    assert.ok(ratio > 0.95 && ratio < 1.055, `${share}: ${ratio}`);
  }
});

Deno.test("LatencyWindow forgets times older than its window, and nothing younger", () => {
  const window = new LatencyWindow(3);
  for (let second = 0; second < 10; second++) {
    window.add(1000 * (second + 1));
    assert.equal(window.count, Math.min(second + 1, 3));
    if (second >= 3) assert.ok(window.percentile(0.01)! > 0.95 * 1000 * (second - 1), "too old a time");
    window.advance();
  }
  for (let n = 0; n < 3; n++) window.advance();
  assert.equal(window.count, 0);
  assert.equal(window.percentile(0.5), null);
});

Deno.test("LatencyWindow accepts times of zero and of hours", () => {
  const window = new LatencyWindow(1);
  for (const ms of [0, 1e-9, 1e9]) window.add(ms);
  assert.ok(window.percentile(0.5)! <= 0.011);
  assert.ok(window.percentile(1)! > 60_000);
});
