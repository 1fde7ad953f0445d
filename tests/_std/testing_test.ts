import { stub } from "@std/testing/mock";
import assert from "node:assert/strict";

Deno.test("stub() replaces a method until it is disposed of", () => {
  const bell = { rings: 0, ring: (times: number): number => bell.rings += times };
  {
    using _ring = stub(bell, "ring", (times) => -times);
    assert.equal(bell.ring(3), -3);
  }
  assert.equal(bell.ring(2), 2);
  {
    using _silent = stub(bell, "ring");
    assert.equal(bell.ring(1), undefined);
  }
  assert.equal(bell.rings, 2);
});
