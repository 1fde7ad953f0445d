import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { decodeHead, encodeHead } from "../../streams/learning/checkpoint_head.ts";

const heads = fc.record({
  positions: fc.array(fc.nat(), { minLength: 1, maxLength: 9 }),
  version: fc.nat(),
  failures: fc.nat(),
  rollbacks: fc.nat(),
  heldBatches: fc.nat(),
  recovery: fc.nat(),
  needsFull: fc.boolean(),
}, { noNullPrototype: true });

Deno.test("decodeHead() restores what encodeHead() wrote, and throws when it is truncated", () => {
  fc.assert(
    fc.property(heads, (head) => {
      const to = new ByteWriter();
      encodeHead(to, head);
      const bytes = to.toBytes();
      assert.deepEqual(decodeHead(new ByteReader(bytes)), head);
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodeHead(new ByteReader(bytes.subarray(0, length))), SyntaxError);
      }
    }),
    { numRuns: 50 },
  );
  assert.throws(() => decodeHead(new ByteReader(Uint8Array.of(9))), /format is 9, this release reads 3/);
});
