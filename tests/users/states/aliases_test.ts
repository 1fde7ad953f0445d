import assert from "node:assert/strict";
import { type Alias, aliasAt, withAlias } from "../../../src/users/states/aliases.ts";

Deno.test("withAlias() merges repeated logins, so that they do not push out another person's", () => {
  let aliases: readonly Alias[] = [];
  aliases = withAlias(aliases, { of: "bob", until: 1 });
  for (let until = 2; until < 50; until++) aliases = withAlias(aliases, { of: "ann", until });
  assert.equal(aliases.length, 8);
  assert.deepEqual([0, 1, 2, 49, 50].map((time) => aliasAt(aliases, time)?.of), [
    "bob",
    "bob",
    "ann",
    "ann",
    undefined,
  ]);
  for (let n = 0; n < 9; n++) aliases = withAlias(aliases, { of: `u${n}`, until: 60 + n });
  assert.deepEqual(aliases.map(({ of }) => of), Array.from({ length: 8 }, (_, n) => `u${n + 1}`));
});
