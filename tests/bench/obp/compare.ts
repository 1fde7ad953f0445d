/**
 * Our off-policy estimates compared with those of the Python package `obp` for the same logs: the samples of Open
 * Bandit, and lists of three in the simulated shop.
 *
 * ```sh
 * pip install obp          # not a dependency; Python 3.8 to 3.10
 * deno run -A tests/bench/obp/compare.ts ../shared/data/open-bandit | python3 tests/bench/obp/compare.py
 * ```
 *
 * @module
 */

import { evaluatePolicy, type LoggedList, type Slate } from "../../../src/experiments/off_policy.ts";
import { createRandom } from "../../../src/draws/random_source.ts";
import { readBanditLog } from "../../../streams/evaluation/bandit_log.ts";
import { readTargetPolicy, type TablePolicy } from "../../../streams/evaluation/target_policy.ts";
import { openSource } from "../../../streams/sources/open.ts";
import { banditContexts, drawLog } from "../bandit.ts";

const data = Deno.args[0];
if (data === undefined) throw new Error("Cannot compare without data: wanted is the folder of Open Bandit");

function print(name: string, slate: Slate, log: readonly LoggedList[]): void {
  const { estimates } = evaluatePolicy(log, { slate, resamples: 0, force: true });
  const ours = Object.fromEntries(estimates.map(({ estimator, value }) => [estimator, value]));
  const lists = log.map(({ places }) => places);
  Deno.stdout.writeSync(new TextEncoder().encode(
    `${JSON.stringify({ name, slate, ours, lists })}\n`,
  ));
}

async function banditThompson(): Promise<TablePolicy> {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  const prior = await Deno.realPath(`${data}/prior_bts.yaml`);
  await Deno.writeTextFile(
    file,
    JSON.stringify({ name: "bernoulli-thompson", prior, campaign: "men", draws: 50_000 }),
  );
  try {
    return await readTargetPolicy(file) as TablePolicy;
  } finally {
    await Deno.remove(file);
  }
}

const policies = { random: await banditThompson(), bts: { name: "uniform" } as const };
for (const [log, policy] of Object.entries(policies)) {
  const { lists } = await readBanditLog(openSource("open-bandit", `${data}/${log}/men`), policy);
  print(`Open Bandit, men, log ${log} for ${log === "random" ? "BTS" : "uniform"}`, "cascade", lists);
}
const [logging, target] = [{ name: "boltzmann", temperature: 1.5 }, {
  name: "boltzmann",
  temperature: 0.7,
}] as const;
const { contexts } = banditContexts(200, 3, target);
const log = drawLog(contexts, { lists: 5000, length: 3, logging, target, random: createRandom(1, 5) });
for (const slate of ["cascade", "standard"] as const) print(`shop, lists of three, ${slate}`, slate, log);
