import { assertSpyCall, assertSpyCalls, spy, stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";
import assert from "node:assert/strict";

Deno.test("FakeTime() stands still, moves when told and gives the real clock back", async () => {
  const fired: string[] = [];
  {
    using time = new FakeTime("2020-01-01T00:00:00Z");
    const start = Date.now();
    assert.equal(start, Date.UTC(2020, 0, 1));
    setTimeout(() => fired.push("a"), 10);
    setTimeout(() => Promise.resolve().then(() => setTimeout(() => fired.push("b"), 10)), 20);
    time.tick(10);
    assert.deepEqual(fired, ["a"]);
    await time.tickAsync(20);
    assert.deepEqual(fired, ["a", "b"]);
    assert.equal(time.next(), false);
    time.now = start + 1_000;
    assert.equal(Date.now(), start + 1_000);
    assert.throws(() => time.now = start, RangeError);
  }
  assert.ok(Date.now() > Date.UTC(2021, 0, 1));
});

Deno.test("spy() remembers arguments, results and errors", () => {
  const half = spy((n: number) => {
    if (n % 2 === 1) throw new RangeError("odd");
    return n / 2;
  });
  assert.equal(half(4), 2);
  assert.throws(() => half(3), RangeError);
  assertSpyCalls(half, 2);
  assertSpyCall(half, 0, { args: [4], returned: 2 });
  assert.ok(half.calls[1]?.error instanceof RangeError);
  assert.throws(() => assertSpyCalls(half, 3), /called 2 times/);
  assert.throws(() => assertSpyCall(half, 2), /no call 2/);
});

Deno.test("stub() replaces a method until it is disposed of", () => {
  const bell = { rings: 0, ring: (times: number): number => bell.rings += times };
  {
    using ring = stub(bell, "ring", (times) => -times);
    assert.equal(bell.ring(3), -3);
    assertSpyCall(ring, 0, { args: [3], returned: -3 });
  }
  assert.equal(bell.ring(2), 2);
});
