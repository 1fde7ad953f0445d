import assert from "node:assert/strict";
import {
  absent,
  count,
  group,
  names,
  number,
  orNull,
  part,
  settle,
  share,
} from "../../src/options/option.ts";
import { optionsSchema } from "../../streams/settings/option_schema.ts";

const OPTIONS = {
  rows: orNull(count(64, "rows")),
  rate: share(0.5, "a share"),
  decay: number(0.9, { above: 0, below: 1 }, "a factor"),
  limit: count(absent("none", Infinity), "most"),
  fields: names(["a"], "fields"),
  guard: part({ margin: share(0.1, "how far") }, "the band"),
  sizes: group({ width: count(16, "of a row") }),
};

Deno.test("settle() fills in defaults for what is absent or undefined, keeps null, and drops undeclared names", () => {
  const { rows, ...rest } = settle(OPTIONS, { rows: null, rate: undefined, other: 1 } as never);
  assert.equal(rows, null);
  assert.deepEqual(rest, { rate: 0.5, decay: 0.9, limit: Infinity, fields: ["a"], guard: {}, sizes: {} });
});

Deno.test("optionsSchema() accepts declared options within their bounds, and no other name at any depth", () => {
  const schema = optionsSchema(OPTIONS);
  const given = { rows: null, rate: 1, decay: 0.1, limit: 3, fields: [], guard: null, sizes: { width: 1 } };
  assert.deepEqual(schema.parse(given), given);
  assert.deepEqual(schema.parse({}), {}, "what is absent stays absent: a profile may set it");
  const wrong = [{ rows: 0 }, { rows: 1.5 }, { rate: 1.1 }, { decay: 0 }, { decay: 1 }, { fields: [""] }];
  const odd = [{ guard: { margn: 1 } }, { sizes: null }, { sizes: { width: "1" } }, { row: 1 }];
  for (const value of [...wrong, ...odd]) {
    assert.equal(schema.safeParse(value).success, false, JSON.stringify(value));
  }
});
