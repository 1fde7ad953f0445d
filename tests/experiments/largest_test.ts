import assert from "node:assert/strict";
import fc from "fast-check";
import { METRIC_FIELDS } from "../../src/assignment/metrics.ts";
import { Largest } from "../../src/experiments/largest.ts";
import type { UserSums } from "../../src/experiments/user_metrics.ts";

/** A user with this many lists, and this many before; 0 = without a past. */
function user([lists, past]: readonly [number, number]): UserSums {
  const sums = (count: number) => Float64Array.from(METRIC_FIELDS, (field) => field === "lists" ? count : 1);
  return { group: 0, sums: sums(lists), before: past === 0 ? undefined : sums(past) };
}

const size = fc.oneof(fc.nat(4), fc.nat(300));
const step = fc.record({ join: fc.array(fc.tuple(size, size), { maxLength: 40 }), leave: fc.nat(30) });

Deno.test("Largest.above() finds the same users as a fresh instance, whoever came and went", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const largest = new Largest("lists");
    const users: UserSums[] = [];
    for (const { join, leave } of steps) {
      for (const gone of users.splice(0, leave)) largest.update(gone, -1);
      for (const sizes of join) {
        const one = user(sizes);
        users.push(one);
        largest.update(one, 1);
      }
      const fresh = new Largest("lists");
      for (const one of users) fresh.update(one, 1);
      const found = new Map(largest.above(users));
      assert.equal(found.size, [...fresh.above(users)].length);
      for (const one of users) assert.deepEqual(found.get(one) ?? [1, 1], fresh.weightsOf(one));
    }
  }));
});

Deno.test("Largest.above() walks all users only now and then, even when most are of one size", () => {
  const largest = new Largest("lists");
  const users: UserSums[] = [];
  let walks = 0;
  const walked = {
    *[Symbol.iterator]() {
      walks++;
      yield* users;
    },
  };
  for (let look = 0; look < 50; look++) {
    for (let n = 0; n < 100; n++) {
      const one = user([10, 0]);
      users.push(one);
      largest.update(one, 1);
    }
    assert.equal([...largest.above(walked)].length, 0);
  }
  assert.ok(walks <= 10, `${walks} walks`);
});

Deno.test("Largest.weightsOf() cuts at least one user in a hundred, and nobody who is alone", () => {
  const weights = (lists: readonly number[]) => {
    const largest = new Largest("lists");
    const users = lists.map((count) => user([count, 0]));
    for (const one of users) largest.update(one, 1);
    return users.map((one) => largest.weightsOf(one)[0]);
  };
  assert.deepEqual(weights([7]), [1]);
  assert.deepEqual(weights([7, 14]), [1, 0.5]);
  assert.deepEqual(weights([5, 5, 5]), [1, 1, 1]);
  const many = weights(Array.from({ length: 300 }, (_, at) => at + 1));
  assert.equal(many.filter((weight) => weight < 1).length, 3);
});
