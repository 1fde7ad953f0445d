import assert from "node:assert/strict";
import { arrivalOf, ARRIVED_HEADERS, MENDED_HEADERS } from "../../streams/topics/arrival.ts";

Deno.test("arrivalOf() is sure only of times stamped by a server of ours or by the log", () => {
  const time = 1_700_000_000_000;
  const isMended = false;
  assert.deepEqual(arrivalOf({ time, headers: ARRIVED_HEADERS }), { time, isSure: true, isMended });
  assert.deepEqual(arrivalOf({ time, headers: {}, isLogTime: true }), { time, isSure: true, isMended });
  assert.deepEqual(arrivalOf({ time, headers: {} }), { time, isSure: false, isMended });
  assert.deepEqual(arrivalOf({ time, headers: MENDED_HEADERS }), { time, isSure: false, isMended: true });
});

Deno.test("arrivalOf() is null when the record's time is invalid or in another unit", () => {
  for (const time of [-1, 0, 1_700_000_000, 1.7e15, NaN]) {
    assert.equal(arrivalOf({ time, headers: ARRIVED_HEADERS }), null, `${time}`);
  }
});
