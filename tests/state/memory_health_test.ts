import assert from "node:assert/strict";
import { memoryHealth } from "../../src/users/memory_health.ts";
import { SequenceSlab } from "../../src/users/sequence.ts";
import { createUser, type UserState } from "../../src/users/user_state.ts";

const slots = (state: Float32Array) => ({
  cosine: state[0]!,
  usage: [state[1]!, 1 - state[1]!],
  mass: state[2]!,
});

function usersOf(states: readonly (readonly number[])[]): Map<string, UserState> {
  const sequences = new SequenceSlab();
  return new Map(states.map((state, i) => {
    const user = createUser(`u${i}`, sequences);
    user.hidden = new Float32Array(state);
    return [user.id, user];
  }));
}

Deno.test("memoryHealth() is the mean over users who have written something", () => {
  const users = usersOf([[0.5, 0.25, 10], [0.25, 0.75, 30], [1, 0, 0], []]);
  const model = { stateSize: 3, slots };
  assert.deepEqual(memoryHealth(users, model), { users: 2, cosine: 0.375, usage: [0.5, 0.5], mass: 20 });
});

Deno.test("memoryHealth() is null for a model without slots, and before anything was written", () => {
  const users = usersOf([[1, 0, 0]]);
  assert.equal(memoryHealth(users, { stateSize: 3 }), null);
  assert.equal(memoryHealth(users, { stateSize: 3, slots }), null);
  assert.equal(memoryHealth(new Map(), { stateSize: 3, slots }), null);
});

Deno.test("memoryHealth() looks at those who were active last, however many there are", () => {
  const users = usersOf(Array.from({ length: 1000 }, (_, i) => [i < 800 ? 1 : 0, 1, 5]));
  assert.deepEqual(memoryHealth(users, { stateSize: 3, slots }), {
    users: 200,
    cosine: 0,
    usage: [1, 0],
    mass: 5,
  });
});
