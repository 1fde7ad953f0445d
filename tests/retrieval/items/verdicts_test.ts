import assert from "node:assert/strict";
import fc from "fast-check";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { Catalogue } from "../../../src/items/catalogue.ts";
import { Verdicts } from "../../../src/retrieval/items/verdicts.ts";

Deno.test("Verdicts.may() is true for items that a request allows and does not exclude, and asks once per item", () => {
  const catalogue = new Catalogue(DEFAULT_SCHEMA);
  const verdicts = new Verdicts(catalogue);
  const anyItem = fc.nat(3000);
  const anyRequest = fc.record({
    size: anyItem,
    excluded: fc.array(anyItem, { maxLength: 5 }),
    allowed: fc.func(fc.boolean()),
    asked: fc.array(anyItem, { maxLength: 30 }),
  });
  fc.assert(fc.property(fc.array(anyRequest, { minLength: 2, maxLength: 4 }), (requests) => {
    for (const { size, excluded, allowed, asked } of requests) {
      while (catalogue.size <= size) catalogue.intern(`i${catalogue.size}`, 0);
      const known = (items: readonly number[]) => items.map((item) => item % catalogue.size);
      const seen: number[] = [];
      verdicts.reset((item) => {
        seen.push(item.index);
        return allowed(item.index);
      }, known(excluded));
      for (const item of known(asked)) {
        assert.equal(verdicts.may(item), !known(excluded).includes(item) && allowed(item));
      }
      assert.deepEqual(seen, [...new Set(seen)]);
    }
  }));
});
