import assert from "node:assert/strict";
import { createRandom } from "../../src/draws/random_source.ts";
import { learnerSettings } from "../../src/learner/learner_options.ts";
import { tableRule } from "../../src/learner/table_rules.ts";
import { RowAdagrad } from "../../src/nn/optimisers/adagrad.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";

/** Uses with 20 % positives until a logit falls below 0 that was learnt from `age` uses with 80 %. */
function usesToTurn(name: string, age: number): number {
  const options = learnerSettings({ schema: DEFAULT_SCHEMA, deviations: { user: 1 } });
  const { initialAccumulator = 0, ...rule } = tableRule(name, { ...options, deviations: { user: 1 } });
  const step = new RowAdagrad(1, rule);
  const rows = { values: new Float32Array(1), accumulators: Float32Array.of(initialAccumulator) };
  const random = createRandom(5);
  const use = (rate: number) => {
    const share = 1 / (1 + Math.exp(-rows.values[0]!));
    const g = share - (random() < rate ? 1 : 0);
    step.step(rows, 0, Float32Array.of(g), g * g);
  };
  for (let n = 0; n < age; n++) use(0.8);
  let uses = 0;
  for (; rows.values[0]! > 0; uses++) use(0.2);
  return uses;
}

Deno.test("tableRule() follows a change, however long the id has been learnt", () => {
  for (
    const [name, limit] of [["item", 3000], ["first:item", 3000], ["first:pair", 3500], [
      "first:user",
      9000,
    ]] as const
  ) {
    for (const age of [1000, 10_000, 100_000]) {
      const uses = usesToTurn(name, age);
      assert.ok(uses <= limit, `${name}: ${uses} uses after ${age}`);
    }
  }
});

Deno.test("RowAdagrad() refuses halvedAfter 0", () => {
  assert.throws(() => new RowAdagrad(1, { halvedAfter: 0 }), RangeError);
});
