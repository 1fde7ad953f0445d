import assert from "node:assert/strict";
import fc from "fast-check";
import { KeyLog } from "../../src/embeddings/key_log.ts";

const LIMIT = 200;
const encoder = new TextEncoder();

/** Appends keys within the limit. @returns after which of them the list was complete */
function append(log: KeyLog, keys: readonly string[]): boolean[] {
  return keys.map((key) => {
    log.append(encoder.encode(key), LIMIT);
    return log.isComplete;
  });
}

Deno.test("KeyLog.append() keeps a copy complete for as long as the original, within the limit", () => {
  const keys = fc.array(fc.string({ unit: "grapheme", maxLength: 20 }), { maxLength: 30, size: "max" });
  fc.assert(fc.property(keys, keys, (before, after) => {
    const log = new KeyLog(), copy = new KeyLog();
    log.clear();
    append(log, before);
    if (log.isComplete) copy.clear();
    for (const key of log.keys()) copy.append(encoder.encode(key), Infinity);
    assert.deepEqual(append(copy, after), append(log, after));
    assert.deepEqual([...copy.keys()], [...log.keys()]);
    assert.ok(log.bytes <= LIMIT, `${log.bytes} bytes`);
  }));
});
