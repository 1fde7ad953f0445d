import assert from "node:assert/strict";
import { counted } from "../../../scripts/run/meter.ts";

Deno.test("counted() is never negative: a service that takes over counts from nothing", () => {
  assert.equal(counted(100, 130), 30);
  assert.equal(counted(100, 100), 0);
  assert.equal(counted(100, 40), 40);
});
