import assert from "node:assert/strict";
import { renderSimulation, type SimulationData } from "../../../scripts/simulate/simulation_report.ts";
import { testPage } from "../../report/page_tests.ts";

const NAME = "<b>popularity</b>";
const STRETCHES = Array.from({ length: 20 }, (_, n) => n + 1);
const arm = (served: number) => ({ requests: 50, ctr: served + 0.01, served, best: 0.4, random: 0.05 });

const DATA: SimulationData = {
  title: "dien in a closed loop",
  command: "deno task meander simulate --requests 2000",
  started: 0,
  finished: 65_000,
  variants: [NAME, "dien"],
  requests: 2000,
  curve: STRETCHES.map((n) => ({ requests: 100 * n, arms: [arm(0.15), arm(0.2 + 0.005 * n)] })),
  tail: [arm(0.15), arm(0.33)],
  tailRequests: 400,
  overall: [arm(0.15), arm(0.25)],
  lacks: [[-0.43, 0, 0.16, 1.57, 0.39, 0.51, 0.08], [0, 0, 0.12, -0.001, 0.13, 0.08, 0.07]],
  regret: STRETCHES.map((n) => [25 * n, 10 * n]),
  looks: STRETCHES.map((n) => ({
    ...{ requests: 100 * n, lift: 0.4, low: 0.4 - 1 / n, high: 0.4 + 1 / n },
    text: n < 4 ? "cannot say yet: about 30 more users" : "dien is better: +40.0 % [5.1, 74.9] ctr",
  })),
  notes: ["The simulated weeks ended early."],
};

await testPage({
  name: "renderSimulation()",
  html: renderSimulation(DATA),
  ready: ".chart svg",
  async check(page) {
    const charts = await page.locator(".chart svg").all();
    assert.equal(charts.length, 4);
    for (const chart of charts) assert.ok((await chart.locator("path").count()) > 5, "an empty drawing");
    const text = await page.locator("body").innerText();
    for (
      const wanted of [
        ...[NAME, "dien is better: +40.0 % [5.1, 74.9] ctr", "80.0 %", "requests in 1 min 5 s"],
        ...["−0.43", "1.57", "The simulated weeks ended early."],
      ]
    ) assert.ok(text.includes(wanted), wanted);
    const lacks = await page.locator('section[aria-labelledby="lacks"]').innerText();
    assert.doesNotMatch(lacks, /-\d|−0\.00/, "a minus is no hyphen, and nothing is less than nothing");
  },
});
