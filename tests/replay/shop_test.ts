import assert from "node:assert/strict";
import type { ModelName } from "../../src/models/create.ts";
import { learnerOptions, modelConfig, parseConfig, taskOptions } from "../../streams/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { PROFILES } from "../../streams/profiles.ts";
import { replay } from "../../streams/replay.ts";
import { openSource } from "../../streams/sources/open.ts";

const SHOP = "fixtures/shop";
/** What the items' click rates alone reach, see fixtures/README.md. */
const POPULARITY = 0.15;

/** How far a replay of the shop gets over its last third, from the constant's log loss (0) to the oracle's (1). */
async function share(model: ModelName, crosses = true): Promise<number> {
  const file = parseConfig(await Deno.readTextFile(`${SHOP}/meander.json`), "meander.json");
  const config = crosses ? file : { ...file, features: { ...file.features, transitions: null } };
  const task = taskOptions(PROFILES.meander, config, model);
  await using log = new MemoryLog();
  const { learning } = await replay(log, openSource("meander", SHOP), {
    model,
    modelConfig: modelConfig(model, config),
    task,
    learner: learnerOptions(task, config, 0),
    retain: false,
    manifest: "{}",
  });
  const { rows } = learning.validation;
  const { constantLogLoss, logLoss, oracleLogLoss } = rows.report(rows.length - Math.floor(rows.length / 3));
  assert.ok(constantLogLoss !== null && logLoss !== null && typeof oracleLogLoss === "number");
  return (constantLogLoss - logLoss) / (constantLogLoss - oracleLogLoss);
}

Deno.test("replay() of the shop learns 70 % of what can be known with dien and base", async () => {
  for (const model of ["base", "dien"] as const) {
    const reached = await share(model);
    assert.ok(reached >= 0.7, `${model} gets ${reached} of the way`);
  }
});

Deno.test("replay() of the shop with base and no cross features lies between popularity and that", async () => {
  const reached = await share("base", false);
  assert.ok(reached > POPULARITY + 0.1 && reached < 0.65, `base gets ${reached} of the way`);
});
