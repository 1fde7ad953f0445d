import assert from "node:assert/strict";
import { measureSpent, restAfter } from "../../streams/service/jobs/processor_share.ts";

Deno.test("restAfter() has a thread use its share of a processor, and takes what it waited for as rest", () => {
  for (
    const [processor, wall, share, rest] of [
      [10, 10, 0.5, 10],
      [10, 10, 1, 0],
      [10, 14, 0.5, 6], // others had the processor for 4 ms
      [10, 90, 0.5, 0], // and for longer than it was to rest
      [0, 5, 0.1, 0],
    ] as const
  ) assert.equal(restAfter({ processor, wall }, share), rest);
});

Deno.test("measureSpent() counts what this thread uses of a processor, and not how long it waits", () => {
  const spent = measureSpent();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  const { processor, wall } = spent();
  assert.ok(wall >= 99 && processor < wall, `${processor} of ${wall} ms`);
});
