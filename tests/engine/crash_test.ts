import assert from "node:assert/strict";
import fc from "fast-check";
import { TaskState } from "../../src/engine/task_state.ts";
import { FakeServing } from "./fake_serving.ts";
import { anyStream, asWritten, Durable, inventory, outputs, run, SMALL, take } from "./streams.ts";

for (
  const [impressions, lifelong, halves, maxUnlistedItems] of [
    ["served", false, 0, Infinity],
    ["logged", false, 0, Infinity],
    ["logged", true, 0, Infinity],
    ["logged", true, 2, Infinity],
    ["served", false, 0, 4],
  ] as const
) {
  const options = { ...SMALL, impressions, maxUnlistedItems };
  const isShort = maxUnlistedItems < Infinity ? ", with little room for unlisted items" : "";
  const what = `${impressions}${lifelong ? ", lifelong" : ""}${halves > 0 ? ", rounded" : ""}${isShort}`;
  const make = () => new FakeServing(3, lifelong, [halves, 3 - halves]);
  Deno.test(`TaskState gives the same outputs and state when it is restored at any commit, ${what}`, () => {
    fc.assert(
      fc.property(anyStream, fc.infiniteStream(fc.integer({ min: 1, max: 12 })), (steps, gaps) => {
        const want = run(steps, options, make());
        const serving = make();
        const durable = new Durable();
        const got = outputs();
        let task = new TaskState(options, serving);
        let out = outputs();
        let left = gaps.next().value;
        steps.forEach((step, offset) => {
          take(task, serving, step, offset, out);
          if (--left > 0 && offset < steps.length - 1) return;
          durable.commit(task, out);
          got.recommendations.push(...out.recommendations);
          got.merges!.push(...out.merges!);
          const before = got.samples.length;
          got.samples.push(...out.samples);
          for (const { user, afterSamples } of out.forgotten) {
            got.forgotten.push({ user, afterSamples: before + afterSamples });
          }
          out = outputs();
          task = durable.restore(options, serving);
          left = gaps.next().value;
        });
        assert.deepEqual(asWritten(got), asWritten(want.out));
        assert.deepEqual(inventory(task), inventory(want.task));
      }),
      { numRuns: 100 },
    );
  });
}
