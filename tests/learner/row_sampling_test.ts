import assert from "node:assert/strict";
import { Rows } from "../../src/samples/rows.ts";
import { keepRows } from "../../src/learner/row_sampling.ts";
import type { Sample } from "../../src/samples/sample.ts";

Deno.test("keepRows() keeps all positives and a share of the negatives, the same ones every time", () => {
  const rows = Array.from(
    { length: 20_000 },
    (_, n) => ({ item: `i${n}`, label: n % 10 === 0 ? 1 as const : 0 as const }),
  );
  const sample = { request: "r", rows: Rows.of(rows) } as unknown as Sample;
  const kept = [...keepRows(sample, 0.25, 7).rows];
  assert.equal(kept.filter(({ label }) => label === 1).length, 2000);
  assert.ok(Math.abs(kept.length - 2000 - 0.25 * 18_000) < 200, `${kept.length}`);
  assert.deepEqual([...keepRows(sample, 0.25, 7).rows], kept);
  assert.equal(keepRows(sample, 1, 7), sample);
});
