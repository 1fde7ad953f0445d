import assert from "node:assert/strict";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { learnerOptions, modelConfig, parseConfig, taskOptions } from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { replay } from "../../streams/replay/replay.ts";
import { openSource } from "../../streams/sources/open.ts";

const SHOP = "fixtures/shop";
/** What the items' click rates alone achieve, see fixtures/README.md. */
const POPULARITY = 0.15;
/** The first eight days, three tenths of the whole. */
const LIMIT = 9000;
/** What dien achieved on them when this was written, 0.65, less a margin for other kernels. */
const FLOOR = 0.62;

/** How far a replay gets over its last third, from the constant's log loss (0) to the oracle's (1). */
async function share(model: ModelName): Promise<number> {
  const config = parseConfig(await Deno.readTextFile(`${SHOP}/meander.json`), "meander.json");
  const task = taskOptions(PROFILES.meander, config, model);
  await using log = new MemoryLog();
  const { learning } = await replay(log, openSource("meander", SHOP), {
    model,
    modelConfig: modelConfig(model, config),
    task,
    learner: learnerOptions(task, config, 0),
    limit: LIMIT,
    retain: false,
    manifest: "{}",
  });
  const { rows } = learning.validation;
  const { constantLogLoss, logLoss, oracleLogLoss } = rows.report(rows.length - Math.floor(rows.length / 3));
  assert.ok(constantLogLoss !== null && logLoss !== null && typeof oracleLogLoss === "number");
  return (constantLogLoss - logLoss) / (constantLogLoss - oracleLogLoss);
}

// As shipped: only models that read the history in its order have the crosses of its newest behaviours.
Deno.test("replay() of three tenths of the shop learns most with dien, less with base, least by popularity", async () => {
  const base = await share("base");
  const dien = await share("dien");
  assert.ok(base >= POPULARITY + 0.1, `base gets ${base} of the way`);
  assert.ok(dien >= base + 0.2, `dien gets ${dien} of the way, base ${base}`);
  assert.ok(dien >= FLOOR, `dien gets ${dien} of the way`);
});
