import assert from "node:assert/strict";
import { untilSettled } from "../../streams/service/readiness.ts";

const { signal } = new AbortController();

/** A service that is late, then not ready, then both fine. */
function settling(late: number, unready: number) {
  let looks = 0;
  return {
    get looks() {
      return looks;
    },
    get waitedMs() {
      return ++looks <= late ? 1000 : 0;
    },
    unready: () => Promise.resolve(looks <= late + unready ? ["it is being restored"] : []),
  };
}

Deno.test("untilSettled() waits until a service is ready and in time, and has been for a while", async () => {
  const service = settling(3, 2);
  await untilSettled(service, signal, { settledMs: 60 });
  assert.ok(service.looks > 6, `${service.looks} looks`);
});

Deno.test("untilSettled() does not wait for ever, nor for what is stopped", async () => {
  const never = settling(Infinity, 0);
  await untilSettled(never, signal, { longestMs: 60 });
  assert.ok(never.looks >= 1);
  await assert.rejects(untilSettled(never, AbortSignal.abort(new Error("it stops"))), /it stops/);
});
