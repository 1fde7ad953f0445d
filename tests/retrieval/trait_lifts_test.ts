import assert from "node:assert/strict";
import { FieldTraits } from "../../src/retrieval/items/trait_lifts.ts";
import type { Catalogue } from "../../src/items/catalogue.ts";

Deno.test("FieldTraits tells values and fields apart, and forgets numbers between requests once there are many", () => {
  let fields: readonly (string | null)[][] = [["red", null], ["red", "red"], ["blue", "red"]];
  const traits = new FieldTraits(
    { at: (item: number) => ({ fields: fields[item]! }) } as unknown as Catalogue,
  );
  const all = () => [0, 1, 2].map((item) => traits.of(item));
  const kinds = ([one, two, three]: readonly (readonly number[])[]) => {
    assert.deepEqual(one, [two![0]]);
    assert.equal(two![1], three![1]);
    assert.equal(new Set([...two!, ...three!]).size, 3);
  };
  kinds(all());
  let largest = 0;
  for (let change = 0; change < 300_000; change++) {
    traits.begin();
    fields = [["red", null], ["red", "red"], ["blue", "red"], [`brand ${change}`]];
    for (const number of traits.of(3)) largest = Math.max(largest, number);
    if (change % 50_000 === 0) kinds(all());
  }
  assert.ok(largest < 70_000, `${largest}`);
  kinds(all());
});
