import assert from "node:assert/strict";
import {
  contextValues,
  DEFAULT_SCHEMA,
  fieldValue,
  fieldValues,
  numericNames,
} from "../../src/features/schema.ts";

Deno.test("fieldValue() gives a value as text, the first of a list of texts, or null if there is none", () => {
  assert.deepEqual(
    ["a", 7, true, ["x", "y"], [], [0.5, 1], undefined].map(fieldValue),
    ["a", "7", "true", "x", null, null, null],
  );
});

Deno.test("fieldValues() takes only own properties of the attributes", () => {
  assert.deepEqual(fieldValues(["age", "toString", "city"], { city: "Rome" }), [null, null, "Rome"]);
});

Deno.test("contextValues() gives hour, surface and keys of the context in the schema's order", () => {
  const schema = { ...DEFAULT_SCHEMA, contextFields: ["page", "hour", "valueOf", "surface"] };
  const time = Date.UTC(2024, 1, 29, 23, 59, 59, 999);
  assert.deepEqual(contextValues(schema, { time, surface: "web", context: { page: 3 } }, 1), [
    "3",
    "23",
    null,
    "web",
  ]);
  assert.deepEqual(contextValues(schema, { time: time + 1 }, 1), [null, "0", null, null]);
});

Deno.test("contextValues() gives the length of a list in half powers of two, not the event's own listLength", () => {
  const schema = { ...DEFAULT_SCHEMA, contextFields: ["listLength"] };
  const context = { listLength: "of the event" };
  const of = (length: number) => contextValues(schema, { time: 0, context }, length)[0];
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 100, 1000].map(of), [
    null,
    "0",
    "2",
    "3",
    "4",
    "4",
    "5",
    "13",
    "19",
  ]);
});

Deno.test("numericNames() are unique even if crosses are named like other features", () => {
  const names = numericNames({ ...DEFAULT_SCHEMA, crosses: ["prior", "brand"] });
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(names.slice(-2), ["userCross:prior", "userCross:brand"]);
});
