import assert from "node:assert/strict";
import fc from "fast-check";

Deno.test("fc.array() is as long as maxLength lets it be", () => {
  const lengths = fc.sample(fc.array(fc.nat(), { maxLength: 100 }), { seed: 1 }).map(({ length }) => length);
  assert.ok(Math.max(...lengths) > 50, `${lengths}`);
});
