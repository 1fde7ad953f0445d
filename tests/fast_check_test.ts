import assert from "node:assert/strict";
import fc from "fast-check";
import { breadth } from "./breadth.ts";
import { files } from "./words/files.ts";

Deno.test("fc.array() makes long arrays when maxLength allows them", () => {
  const lengths = fc.sample(fc.array(fc.nat(), { maxLength: 100 }), { seed: 1 }).map(({ length }) => length);
  assert.ok(Math.max(...lengths) > 50, `${lengths}`);
});

Deno.test({
  name:
    "fc.assert() draws the same values in each run, two fifths of what is asked for or, in a thorough run, all",
  ignore: Deno.env.has("MEANDER_DRAW_SECONDS"),
  fn() {
    const draws = () => {
      const drawn: number[] = [];
      fc.assert(fc.property(fc.nat(), (n) => void drawn.push(n)), { numRuns: 30 });
      return drawn;
    };
    assert.deepEqual(draws(), draws());
    assert.equal(draws().length, breadth(12, 30));
  },
});

Deno.test("no test draws random values without a seed", async () => {
  const found: string[] = [];
  for await (const path of files("tests")) {
    if (/^tests\/(fast_check|bench\/|faults\/)/.test(path)) continue;
    const text = await Deno.readTextFile(new URL(`../${path}`, import.meta.url));
    if (/\bMath\.random\b|"@fast-check"|"npm:fast-check/.test(text)) found.push(path);
  }
  assert.deepEqual(found, []);
});
