import assert from "node:assert/strict";
import type { Panel } from "../../src/nn/models/core/panel.ts";
import { inspectUsers } from "../../src/users/inspection.ts";
import { SequenceSlab } from "../../src/users/states/sequence.ts";
import { createUser, type UserState } from "../../src/users/user_state.ts";

function panel(name: string, ...values: (number | null)[]): Panel {
  return { name, title: name, about: "", unit: "number", values };
}

const inspect = ([a = 0, b = 0, mass = 0]: Float32Array) =>
  mass === 0 ? [] : [panel("a", a), panel("b", b, 1 - b), panel("none", null)];

function usersOf(states: readonly (readonly number[])[]): UserState[] {
  const sequences = new SequenceSlab();
  return states.map((state, i) => {
    const user = createUser(`u${i}`, sequences);
    user.hidden = new Float32Array(state);
    return user;
  });
}

Deno.test("inspectUsers() averages panels over the users whose state has any", () => {
  const users = usersOf([[0.5, 0.25, 10], [0.25, 0.75, 30], [1, 0, 0], []]);
  assert.deepEqual(inspectUsers(users, { stateSize: 3, inspect }), {
    users: 2,
    panels: [panel("a", 0.375), panel("b", 0.5, 0.5), panel("none", null)],
  });
});

Deno.test("inspectUsers() is null for a model without panels, and without states to show", () => {
  const users = usersOf([[1, 0, 0]]);
  assert.equal(inspectUsers(users, { stateSize: 3 }), null);
  assert.equal(inspectUsers(users, { stateSize: 3, inspect }), null);
  assert.equal(inspectUsers([], { stateSize: 3, inspect }), null);
});
