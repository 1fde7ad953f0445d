import assert from "node:assert/strict";
import { evaluatePolicy } from "../../src/experiments/off_policy.ts";
import { readBanditLog } from "../../streams/evaluation/bandit_log.ts";
import {
  parseBetaPrior,
  readTargetPolicy,
  type TablePolicy,
} from "../../streams/evaluation/target_policy.ts";
import { openSource } from "../../streams/sources/open.ts";

const DATA = "../shared/data/open-bandit";
const present = await Deno.stat(`${DATA}/prior_bts.yaml`).then(() => true, () => false);
const name = (text: string) => present ? text : `${text}: SKIPPED, ${DATA} is absent`;

async function policyFile(value: unknown): Promise<TablePolicy> {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(file, JSON.stringify(value));
    return await readTargetPolicy(file) as TablePolicy;
  } finally {
    await Deno.remove(file);
  }
}

// Figures of an independent script (numpy, 200,000 draws): IPS 0.00454 ± 0.00232, SNIPS 0.00461, ESS 2,479.
Deno.test({
  name: name(
    "readBanditLog() of the uniform log values Bernoulli Thompson sampling like an independent script",
  ),
  ignore: !present,
  fn: async () => {
    const prior = await Deno.realPath(`${DATA}/prior_bts.yaml`);
    const policy = await policyFile({ name: "bernoulli-thompson", prior, campaign: "men", draws: 50_000 });
    const { lists, items } = await readBanditLog(openSource("open-bandit", `${DATA}/random/men`), policy);
    assert.deepEqual([lists.length, items], [10_000, 34]);
    const { overlap, estimates, refusals, logged } = evaluatePolicy(lists, { resamples: 200 });
    assert.deepEqual([refusals, logged], [[], 0.0046]);
    const [ips, snips, dr] = estimates;
    assert.ok(Math.abs(ips!.value - 0.00454) < 0.00005, `${ips!.value}`);
    assert.ok(Math.abs(ips!.normal.high - ips!.value - 0.00232) < 0.00003);
    assert.ok(Math.abs(snips!.value - 0.00461) < 0.00005);
    assert.ok(Math.abs(overlap.effective / 2479 - 1) < 0.02, `${overlap.effective}`);
    assert.ok(dr!.value > 0.003 && dr!.value < 0.006);
  },
});

Deno.test({
  name: name(
    "readBanditLog() of the log of Bernoulli Thompson sampling supports no estimate of a uniform policy",
  ),
  ignore: !present,
  fn: async () => {
    const source = openSource("open-bandit", `${DATA}/bts/men`);
    const { lists } = await readBanditLog(source, await policyFile({ name: "uniform" }));
    const { refusals, estimates } = evaluatePolicy(lists);
    assert.match(refusals[0]!, /rewards of this policy are worth 2\.1 independent units/);
    assert.match(refusals[1]!, /worth 656 of its 10000 lists .* needs 1000; the largest weight is 178/);
    assert.deepEqual(estimates, []);
  },
});

Deno.test("readTargetPolicy() reads tables, arms and policies, and names what is wrong", async () => {
  const arms = { a: { alpha: 1, beta: 3 }, b: { alpha: 3, beta: 1 } };
  const table = await policyFile({ name: "bernoulli-thompson", arms, places: 1, draws: 2000 });
  assert.ok(table.name === "table" && table.propensities["b"]![0]! > 0.9);
  assert.deepEqual(await policyFile({ name: "epsilon", epsilon: 0.1 }), { name: "epsilon", epsilon: 0.1 });
  await assert.rejects(
    policyFile({ name: "table", propensities: { a: [2] } }),
    /as a policy: propensities.a.0/,
  );
  await assert.rejects(
    policyFile({ name: "table", propensities: { a: [0.5, 0.9], b: [0.5, 0.7], c: [0, 0.1] } }),
    /propensities: those at place 1 sum to 1.7, more than 1/,
  );
  await assert.rejects(policyFile({ name: "bernoulli-thompson" }), /either arms or a prior file/);
  await assert.rejects(policyFile({ name: "best" }), /as a policy: name/);
  assert.throws(() => parseBetaPrior("men:\n  alpha:\n    - 1\n", "men", "x.yaml"), /got 1 and 0/);
  assert.throws(() => parseBetaPrior("men:\n", "women", "x.yaml"), /campaign women from x.yaml/);
});
