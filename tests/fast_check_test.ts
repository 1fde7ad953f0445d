import assert from "node:assert/strict";
import fc from "fast-check";

Deno.test("fc.array() is as long as maxLength lets it be", () => {
  const lengths = fc.sample(fc.array(fc.nat(), { maxLength: 100 }), { seed: 1 }).map(({ length }) => length);
  assert.ok(Math.max(...lengths) > 50, `${lengths}`);
});

Deno.test({
  name: "fc.assert() draws the same values in each run, and as many as it is told",
  ignore: Deno.env.has("MEANDER_DRAW_SECONDS"),
  fn() {
    const draws = () => {
      const drawn: number[] = [];
      fc.assert(fc.property(fc.nat(), (n) => void drawn.push(n)), { numRuns: 30 });
      return drawn;
    };
    assert.deepEqual(draws(), draws());
    assert.equal(draws().length, 30);
  },
});
