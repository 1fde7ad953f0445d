import assert from "node:assert/strict";
import fc from "fast-check";
import { RecordStore } from "../../../streams/task/store/record_store.ts";
import { PackedUsers } from "../../../streams/task/store/users.ts";

const key = fc.constantFrom("a", "b", "c", "ä", "𝒳", "item:7", "f".repeat(200));
const change = fc.oneof(
  { weight: 6, arbitrary: fc.record({ key, value: fc.uint8Array({ maxLength: 60 }), marked: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ key }) },
);

Deno.test("RecordStore holds what a map would through any changes, however often segments are emptied", () => {
  fc.assert(fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
    const store = new RecordStore({ segmentBytes: 200, chunkBytes: 200 });
    const want = new Map<string, { value: Uint8Array; marked: boolean }>();
    for (const step of changes) {
      if ("value" in step) {
        store.put(step.key, step.value, step.marked);
        want.set(step.key, step);
      } else {
        store.delete(step.key);
        want.delete(step.key);
      }
      const victim = store.victim(0.3);
      if (victim !== undefined) {
        const [chunk] = victim.chunks;
        assert.ok(chunk);
        const bytes = chunk.bytes.subarray(0, victim.length);
        for (let at = 0; at < bytes.length;) at = store.relocate(victim, bytes, at, at + 50);
        assert.equal(victim.dead, victim.length);
        store.drop(victim);
      }
    }
    assert.equal(store.size, want.size);
    for (const [key, { value }] of want) {
      assert.deepEqual(new Uint8Array(store.get(key) ?? assert.fail()), value);
    }
    assert.deepEqual([...store.keys()].sort(), [...want.keys()].sort());
    const marked = [...want].flatMap(([key, { marked }]) => marked ? [key] : []);
    assert.deepEqual([...store.markedKeys()].sort(), marked.sort());
  }));
});

Deno.test("RecordStore.load() restores the same contents, whether or not emptied segments are still there", () => {
  fc.assert(fc.property(fc.array(change, { maxLength: 200, size: "max" }), (changes) => {
    const store = new RecordStore({ segmentBytes: 200, chunkBytes: 200 });
    /** Segments by number, in files that are removed later than the segments are dropped. */
    const files = new Map<number, Uint8Array>();
    for (const [n, step] of changes.entries()) {
      if ("value" in step) store.put(step.key, step.value, step.marked);
      else store.delete(step.key);
      store.setPosition(Uint8Array.of(n));
      const full = [...store.segments.values()].filter((one) => one !== store.active);
      const victim = n % 3 === 0 ? full[n % full.length] : undefined;
      if (victim === undefined) continue;
      const bytes = victim.whole();
      files.set(victim.id, bytes);
      for (let at = 0; at < bytes.length;) at = store.relocate(victim, bytes, at, at + 50);
      store.drop(victim);
    }
    const contents = (of: RecordStore) => ({
      records: [...of.keys()].sort().map((key) => [key, of.get(key)?.toHex()]),
      marked: [...of.markedKeys()].sort(),
      position: of.position.toHex(),
    });
    const left = new Map([...store.segments.values()].map((segment) => [segment.id, segment.whole()]));
    for (const all of [left, new Map([...files, ...left])]) {
      const again: RecordStore = new RecordStore({
        read: ({ id }, offset, length) => all.get(id)!.subarray(offset, offset + length),
      });
      for (const id of [...all.keys()].sort((a, b) => a - b)) {
        again.load(again.newSegment(id), all.get(id)!);
      }
      assert.deepEqual(contents(again), contents(store));
    }
  }));
});

Deno.test("PackedUsers takes little more memory than the newest records when users change again and again", () => {
  const users = new PackedUsers();
  const record = new Uint8Array(600);
  for (let n = 0; n < 50_000; n++) {
    record[0] = n;
    users.put(`user-${(n * 7919) % 5000}`, record.subarray(0, 400 + n % 200));
  }
  assert.equal(users.size, 5000);
  const live = 5000 * 500;
  assert.ok(users.bytes < 1.4 * live + (2 << 20), `${users.bytes} bytes for ${live}`);
});
