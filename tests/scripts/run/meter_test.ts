import assert from "node:assert/strict";
import { counted, untilRead } from "../../../scripts/run/meter.ts";

Deno.test("counted() is never negative: a service that takes over counts from 0", () => {
  assert.equal(counted(100, 130), 30);
  assert.equal(counted(100, 100), 0);
  assert.equal(counted(100, 40), 40);
});

Deno.test("untilRead() says how long a shrinking lag lasts, and nothing of one that does not shrink", () => {
  assert.equal(untilRead(30_000, 29_000, 10_000), " (5 min at this pace)");
  assert.equal(untilRead(5000, 3000, 10_000), " (15 s at this pace)");
  for (const [before, now] of [[0, 0], [10, 0], [100, 100], [100, 200], [5000, 100]] as const) {
    assert.equal(untilRead(before, now, 10_000), "", `${before}, ${now}`);
  }
});
