import assert from "node:assert/strict";
import { weightBars } from "../../scripts/evaluate/weight_bars.ts";

Deno.test("weightBars() names the ends of open bins", () => {
  const counts = new Array<number>(15).fill(0);
  for (const at of [0, 1, 2, 8, 14]) counts[at] = 40;
  counts[9] = 1;
  const bars = weightBars(counts).map((bar) => bar.trim().split(" ")[0]);
  assert.deepEqual(bars, ["0", "<1/64", "1/64", "1", "2", "≥64"]);
});
