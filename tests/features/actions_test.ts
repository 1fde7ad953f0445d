import assert from "node:assert/strict";
import { DEFAULT_ACTIONS, isPositive } from "../../src/features/actions.ts";

Deno.test("isPositive() follows the action's `positive`; a finite threshold requires a value", () => {
  const cases: readonly (readonly [positive: boolean | number, value: number | undefined, want: boolean])[] =
    [
      [true, undefined, true],
      [true, -5, true],
      [false, 5, false],
      [4, 3.9, false],
      [4, 4, true],
      [4, undefined, false],
      [0, 0, true],
      [-Infinity, undefined, true],
    ];
  for (const [positive, value, want] of cases) {
    assert.equal(isPositive({ positive, strength: 1 }, value), want, `${positive} of ${value}`);
  }
});

Deno.test("DEFAULT_ACTIONS are explicit only where the user has judged the item", () => {
  const explicit = Object.entries(DEFAULT_ACTIONS).filter(([, { explicit }]) => explicit).map(([name]) =>
    name
  );
  assert.deepEqual(explicit, ["dislike", "rating"]);
});
