import assert from "node:assert/strict";
import { SMALL_WIDTH } from "../../src/features/field_table.ts";
import { fieldSpecs } from "../../src/features/fields.ts";

Deno.test("fieldSpecs() gives vectors and first-order weights per field, and weights of positions and crosses", () => {
  const specs = fieldSpecs(
    { userFields: ["age"], itemFields: ["brand"], contextFields: ["hour", "age"], crosses: ["brand"] },
    8,
  );
  const vectors = { item: 8, category: 8, user: 16 };
  const small = ["user:age", "context:hour", "context:age", "item:brand"];
  const want = new Map([
    ...Object.entries(vectors),
    ...small.map((name) => [name, SMALL_WIDTH] as const),
    ...[...Object.keys(vectors), ...small, "position", "transition", "age"].map((name) =>
      [`first:${name}`, 1] as const
    ),
  ]);
  assert.equal(specs.length, want.size);
  assert.deepEqual(new Map(specs.map(({ name, width }) => [name, width])), want);
});
