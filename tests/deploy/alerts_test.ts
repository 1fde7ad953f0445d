/** The alerts use metrics that exist, have a row in the runbook, and do what their own tests say. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { readPage, ROOT } from "../docs/pages.ts";
import { startApi } from "../server/deployment.ts";
import { outputOf } from "./tools.ts";

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

interface RuleTests {
  readonly tests: readonly {
    readonly "alert_rule_test": readonly {
      readonly alertname: string;
      readonly "exp_alerts"?: readonly unknown[];
    }[];
  }[];
}

const FOLDER = new URL("deploy/prometheus/", ROOT);
const rules: Rules = parse(await readPage("deploy/prometheus/alerts.yml"));
const alerts = rules.groups.flatMap(({ rules }) => rules);

Deno.test("alerts use metrics and routes that a service has", async () => {
  await using api = await startApi();
  const told = (await api.get("/metrics")).text;
  const names = new Set([...told.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name));
  assert.ok(names.size > 40);
  for (const { alert, expr } of alerts) {
    const used = [...expr.matchAll(/\bmeander_\w+/g)].map(([name]) => name);
    assert.ok(used.length > 0 || expr.startsWith("up{"), alert);
    for (const name of used) assert.ok(names.has(name.replace(/_(count|bucket)$/, "")), `${alert}: ${name}`);
    for (const [, route = ""] of expr.matchAll(/route="([^"]+)"/g)) {
      assert.equal((await api.post(route, {})).status, 422, `${alert}: ${route}`);
    }
  }
});

Deno.test("the runbook has a row for each alert, and no other", async () => {
  const runbook = await readPage("docs/how-to/runbook.md");
  const rows = [...runbook.matchAll(/^\| `(Meander\w+)`/gm)].map(([, name = ""]) => name);
  assert.deepEqual(rows.toSorted(), alerts.map(({ alert }) => alert).toSorted());
});

Deno.test("each alert is tested both firing and silent", async () => {
  const { tests }: RuleTests = parse(await readPage("deploy/prometheus/alerts_test.yml"));
  const cases = tests.flatMap((test) => test["alert_rule_test"]);
  for (const { alert } of alerts) {
    const own = cases.filter(({ alertname }) => alertname === alert);
    const told = own.filter((test) => test["exp_alerts"] !== undefined);
    assert.ok(told.length > 0 && told.length < own.length, alert);
  }
});

Deno.test("promtool accepts the alerts, and their own tests pass", async () => {
  for (const args of [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]]) {
    const ended = await outputOf("promtool", args, fileURLToPath(FOLDER));
    if (ended === undefined) {
      const text = "SKIPPED: the alerts, as there is no promtool (Debian's package `prometheus` has it)\n";
      return void await Deno.stderr.write(new TextEncoder().encode(text));
    }
    const [told, wrong] = [ended.stdout, ended.stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.equal(ended.code, 0, `${told}${wrong}`);
  }
});
