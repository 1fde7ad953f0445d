import assert from "node:assert/strict";
import { ListsInOrder } from "../../streams/experiments/lists_in_order.ts";
import { list } from "./lists.ts";

/** Lists of `users` users, several each, on two partitions, not in order of time. */
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

/** Counts the array elements that `act` reads, by loops and by methods. */
function elementsOf(act: () => void): number {
  const names = [
    "filter",
    "flatMap",
    "map",
    "forEach",
    "find",
    "some",
    "every",
    "reduce",
    Symbol.iterator,
  ] as const;
  using undone = new DisposableStack();
  let elements = 0;
  for (const name of names) {
    const method: unknown = Array.prototype[name];
    assert.ok(typeof method === "function");
    undone.defer(() => Object.defineProperty(Array.prototype, name, { value: method }));
    Object.defineProperty(Array.prototype, name, {
      value(this: unknown[], ...args: unknown[]) {
        elements += this.length;
        return Reflect.apply(method, this, args);
      },
    });
  }
  act();
  return elements;
}

Deno.test("ListsInOrder.encodeUser() reads only the user's own lists, however many others are held", () => {
  const [few, many] = [10, 1000].map((users) => {
    const lists = new ListsInOrder();
    for (const { sample, partition } of heldLists(users, 5)) lists.add(sample, partition);
    return elementsOf(() => lists.encodeUser("u3"));
  });
  assert.ok(few! > 0);
  assert.equal(many, few);
});
