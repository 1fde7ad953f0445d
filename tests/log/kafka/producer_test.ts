import assert from "node:assert/strict";
import { logErrorOf } from "../../../streams/log/kafka/protocol/errors.ts";
import { isFenced, producedError } from "../../../streams/log/kafka/producer.ts";
import { isTransient } from "../../../streams/log/log.ts";

Deno.test("producedError() is lasting only when another producer would be refused as well", () => {
  const codes = {
    NOT_LEADER: 6,
    TIMED_OUT: 7,
    NOT_ENOUGH_REPLICAS: 19,
    NOT_AUTHORISED: 29, // the right may come back
    OUT_OF_ORDER: 45,
    INVALID_TXN_STATE: 48,
  };
  for (const [name, code] of Object.entries(codes)) {
    assert.equal(isTransient(logErrorOf(producedError(code, "t", 0))), true, name);
  }
  for (const [name, code] of Object.entries({ TOO_LARGE: 10, INVALID_RECORD: 87 })) {
    assert.equal(isTransient(logErrorOf(producedError(code, "t", 0))), false, name);
  }
  assert.ok(isFenced(producedError(90, "t", 0)));
});
