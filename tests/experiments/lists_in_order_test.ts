import assert from "node:assert/strict";
import { ListsInOrder } from "../../streams/experiments/lists_in_order.ts";
import { list } from "./lists.ts";

/** Lists of `users` users, several each, on two partitions, in an order that is none of times. */
function heldLists(users: number, each: number) {
  return Array.from({ length: users * each }, (_, n) => {
    const user = n % users;
    return {
      sample: list(`u${user}`, 1, { rows: 1, time: (n * 7919) % (users * each) }),
      partition: user % 2,
    };
  });
}

Deno.test("ListsInOrder.encodeUser() keeps all lists of a user, and decodeUser() puts them back in order", () => {
  const [lists, copy] = [new ListsInOrder(), new ListsInOrder()];
  for (const { sample, partition } of heldLists(10, 5)) lists.add(sample, partition);
  lists.take(9, 0);
  lists.forget("u3");
  for (let u = 9; u >= 0; u--) copy.decodeUser(lists.encodeUser(`u${u}`));
  assert.equal(lists.has("u3"), false);
  for (const partition of [0, 1]) {
    const [own, other] = [lists.take(Infinity, partition), copy.take(Infinity, partition)];
    const times = own.map(({ time }) => time);
    assert.deepEqual(times, times.toSorted((a, b) => a - b));
    assert.deepEqual(other.map(({ request }) => request), own.map(({ request }) => request));
    assert.equal(own.length, 20);
  }
  for (let u = 0; u < 10; u++) assert.equal(lists.has(`u${u}`), false);
});
