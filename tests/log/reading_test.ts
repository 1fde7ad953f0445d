import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { extentsOf, newestOf } from "../../streams/log/reading.ts";

Deno.test("newestOf() finds what a log with an index of keys finds", async () => {
  const writes = fc.array(fc.record({ key: fc.constantFrom("a", "b", "c"), isNull: fc.boolean() }), {
    maxLength: 40,
  });
  await fc.assert(fc.asyncProperty(writes, fc.nat(20), async (writes, filler) => {
    await using log = new MemoryLog();
    await log.createTopics([{ name: "t", partitions: 1, cleanup: "compact" }]);
    const keys = [...writes.map(({ key }) => key), ...Array.from({ length: filler }, (_, n) => `${n}`)];
    for (const [n, key] of keys.entries()) {
      const value = writes[n]?.isNull ? null : Uint8Array.of(n);
      await log.append([{ topic: "t", partition: 0, key, value, time: n }]);
    }
    const unknowing = { read: log.read.bind(log), bounds: log.bounds.bind(log) };
    for (const key of ["a", "b", "c", "never"]) {
      assert.deepEqual(await newestOf(unknowing, "t", 0, key), await log.latest("t", 0, key));
    }
  }));
});

Deno.test("extentsOf() returns the topics with a prefix in order of their names", async () => {
  await using log = new MemoryLog();
  for (const name of ["b-2", "a-1", "b-1", "b-3"]) {
    await log.createTopics([{ name, partitions: 2, cleanup: "delete" }]);
  }
  const extents = await extentsOf(log, "b-");
  assert.deepEqual(extents.map(({ name, bounds }) => [name, bounds.length]), [["b-1", 2], ["b-2", 2], [
    "b-3",
    2,
  ]]);
});
