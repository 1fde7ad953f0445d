import assert from "node:assert/strict";
import { reject } from "../../src/events/rejected.ts";
import { encodeRejection, MAX_REJECTED_BYTES, rejectionOf } from "../../src/events/rejection.ts";

const refusal = reject("invalid-json", "no");
const place = { topic: "events", partition: 3, offset: 12 };

Deno.test("rejectionOf() keeps all bytes, whatever they are", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const rejection = rejectionOf(place, refusal, bytes);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(encodeRejection(rejection))), rejection);
  assert.deepEqual(Uint8Array.fromBase64(rejection.bytes), bytes);
  assert.ok(!("cut" in rejection));
});

Deno.test("rejectionOf() cuts a record that is too large, and says so", () => {
  const whole = rejectionOf(place, refusal, new Uint8Array(MAX_REJECTED_BYTES));
  const cut = rejectionOf(place, refusal, new Uint8Array(MAX_REJECTED_BYTES + 1));
  const beginning = rejectionOf({ file: "a", line: 1 }, refusal, new Uint8Array(10), 1e9);
  assert.deepEqual([whole.cut, cut.cut, beginning.cut], [undefined, true, true]);
  assert.equal(cut.bytes, whole.bytes);
});
