/** Users who ask as sessions and then log in; the worlds of tests/bench/logins.ts, whose figures are in decision 124. */

import assert from "node:assert/strict";
import { LOGIN_WORLDS, type LoginWorld, runLogins } from "../bench/logins.ts";

const PEOPLE = 800;

function worldOf(name: string): LoginWorld {
  const world = LOGIN_WORLDS.find((world) => world.name === name);
  assert.ok(world !== undefined, name);
  return world;
}

Deno.test("logins: an A/A experiment or a variant with more logins gets no verdict, wherever the clicks are", () => {
  for (const name of ["A/A", "more logins, no click after them", "more logins"]) {
    let wrong = 0;
    for (let seed = 0; seed < 8; seed++) {
      const { verdict, lists } = runLogins(worldOf(name), PEOPLE, seed);
      if (verdict !== "no difference" && verdict !== "undecided") wrong++;
      else assert.equal(lists.counted, lists.asked, "every list counts");
    }
    assert.ok(wrong <= 2, `${name}: ${wrong} of 8`); // 3 come once in 170 times at 5 %
  }
});

Deno.test("logins: a better variant wins even when half of those who click log in and are drawn anew", () => {
  for (let seed = 0; seed < 5; seed++) {
    const { verdict, lift } = runLogins(worldOf("better, half log in"), PEOPLE, seed);
    assert.equal(verdict, "better");
    assert.ok(lift! > 0);
  }
});
