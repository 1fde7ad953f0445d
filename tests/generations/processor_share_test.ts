import assert from "node:assert/strict";
import os from "node:os";
import { measureSpent, restAfter } from "../../streams/service/jobs/processor_share.ts";

Deno.test("restAfter() keeps a thread to its share of a processor, and counts waiting as rest", () => {
  for (
    const [processor, wall, share, rest] of [
      [10, 10, 0.5, 10],
      [10, 10, 1, 0],
      [10, 14, 0.5, 6], // others had the processor for 4 ms
      [10, 90, 0.5, 0], // and for longer than the rest due
      [0, 5, 0.1, 0],
    ] as const
  ) assert.equal(restAfter({ processor, wall }, share), rest);
});

Deno.test("measureSpent() counts the processor time of this thread, without the time that it waits", () => {
  const spent = measureSpent();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  const { processor, wall } = spent();
  assert.ok(wall >= 99 && processor < wall, `${processor} of ${wall} ms`);
});

Deno.test({
  name: "lowerPriority() affects only the thread that calls it",
  ignore: Deno.build.os !== "linux", // elsewhere it does nothing
  async fn() {
    const before = os.getPriority();
    const module = new URL("../../streams/service/jobs/processor_share.ts", import.meta.url);
    const code = `import os from "node:os"; import { lowerPriority } from "${module}";
      lowerPriority(); postMessage(os.getPriority());`;
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const thread = new Worker(url, { type: "module" });
    const told = await new Promise((resolve) => thread.onmessage = ({ data }) => resolve(data));
    thread.terminate();
    URL.revokeObjectURL(url);
    assert.deepEqual([told, os.getPriority()], [Math.min(19, before + 5), before]);
  },
});
