import assert from "node:assert/strict";
import { Catalogue } from "../../src/items/catalogue.ts";
import { USER_BYTES, UserMemory } from "../../src/users/user_memory.ts";
import { SequenceSlab } from "../../src/users/states/sequence.ts";
import { SMALL } from "../engine/streams.ts";

Deno.test("UserMemory.evict() keeps no more users of whom hardly anything is known than there is room for their objects", () => {
  const memory = new UserMemory(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  for (let n = 0; n < 1000; n++) memory.record(memory.activate(`u${n}`));
  memory.evict(100 * USER_BYTES);
  assert.ok(memory.users.size <= 100, `${memory.users.size} users`);
  assert.ok(memory.users.size > 30 && memory.bytes <= 100 * USER_BYTES);
  assert.ok(memory.users.has("u999") && !memory.users.has("u0"));
});
