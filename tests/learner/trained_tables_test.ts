import { learnerSettings } from "../../src/learner/learner_options.ts";
import assert from "node:assert/strict";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { TrainedTables } from "../../src/learner/trained_tables.ts";

Deno.test("TrainedTables() names the option and its least value when the tables do not fit", () => {
  const make = (tableBytes: number) =>
    new TrainedTables(
      learnerSettings({ schema: DEFAULT_SCHEMA, embeddingWidth: 16, admitAfter: 2, tableBytes }),
    );
  let least = NaN;
  assert.throws(() => make(1000), (error) => {
    assert.ok(error instanceof RangeError);
    assert.match(error.message, /learner\.tableBytes: current value is 1000, the least .* is \d+$/);
    least = Number(/\d+$/.exec(error.message));
    return true;
  });
  make(least);
  assert.throws(() => make(least - 1), /learner\.tableBytes/);
});
