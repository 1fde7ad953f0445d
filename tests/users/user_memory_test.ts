import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { USER_BYTES, UserMemory } from "../../src/users/user_memory.ts";
import { SequenceSlab } from "../../src/users/states/sequence.ts";
import { SMALL } from "../engine/streams.ts";

Deno.test("UserMemory.evict() counts the bytes of users' objects, even without behaviours", () => {
  const memory = new UserMemory(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  for (let n = 0; n < 1000; n++) memory.record(memory.activate(`u${n}`));
  memory.evict(100 * USER_BYTES);
  assert.ok(memory.users.size <= 100, `${memory.users.size} users`);
  assert.ok(memory.users.size > 30 && memory.bytes <= 100 * USER_BYTES);
  assert.ok(memory.users.has("u999") && !memory.users.has("u0"));
});

Deno.test("UserMemory keeps users in order of activity while they act, are evicted, restored and forgotten", () => {
  const memory = new UserMemory(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  const random = mulberry32(4);
  const records = new Map<string, Uint8Array>();
  let order: string[] = [];
  for (let n = 0; n < 3000; n++) {
    const id = `u${Math.floor(60 * random() ** 2)}`;
    const record = records.get(id);
    const known = memory.users.get(id);
    if (known !== undefined && random() < 0.1) memory.forget(known);
    else if (known === undefined && record !== undefined) memory.restore(id, record);
    else records.set(id, memory.record(memory.activate(id)));
    order = order.filter((other) => other !== id).concat(memory.users.has(id) ? id : []);
    if (random() < 0.05) {
      memory.evict(memory.bytes / 2);
      order = order.filter((other) => memory.users.has(other));
    }
    assert.deepEqual(memory.newest(Infinity).map((user) => user.id), order);
    assert.deepEqual(memory.newest(3).map((user) => user.id), order.slice(-3));
  }
  const most = memory.users.size;
  memory.evict(0);
  assert.ok(most > 10 && memory.users.size === 0 && memory.newest(1).length === 0);
});

Deno.test("UserMemory.evict() drops the least recently active users, but none with a pending deadline", () => {
  const memory = new UserMemory(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  const users = ["a", "b", "c", "d"].map((id) => memory.activate(id));
  memory.activate("a");
  users[1]!.listed = { time: 0, hash: 0, due: { time: 1, sequence: 1 } };
  for (const user of users) memory.record(user);
  memory.evict(memory.bytes - 1);
  assert.deepEqual([...memory.users.keys()].sort(), ["a", "b", "d"]);
  memory.evict(0);
  assert.deepEqual([...memory.users.keys()], ["b"]);
});

Deno.test("UserMemory.evict() looks at waiting users once, and drops them after their wait has ended", () => {
  const memory = new UserMemory(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  let looks = 0;
  const wait = (id: string) => {
    const user = memory.activate(id);
    const { pending } = user;
    Object.defineProperty(user, "pending", { get: () => (looks++, pending) });
    user.listed = { time: 0, hash: 0, due: { time: 1, sequence: 1 } };
    memory.record(user);
    return user;
  };
  const looksOf = (evict: () => void) => {
    looks = 0;
    evict();
    return looks;
  };
  const users = Array.from({ length: 100 }, (_, n) => wait(`u${n}`));
  assert.equal(looksOf(() => memory.evict(0)), 100);
  assert.equal(looksOf(() => memory.evict(0)), 0);
  memory.record(memory.activate("u7"));
  assert.equal(looksOf(() => memory.evict(0)), 0, "activity does not end a wait");
  for (const user of [users[50]!, users[7]!, users[20]!]) {
    user.listed = null;
    memory.record(user);
  }
  memory.activate("u50");
  assert.equal(looksOf(() => memory.evict(memory.bytes - 1)), 1);
  assert.ok(!memory.users.has("u7"), "least recently active, where the end of a wait counts as activity");
  assert.equal(looksOf(() => memory.evict(0)), 2);
  assert.equal(memory.users.size, 97);
  assert.deepEqual(memory.newest(2).map(({ id }) => id), ["u98", "u99"]);
});
