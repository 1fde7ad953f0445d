import assert from "node:assert/strict";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { verdicts } from "../../../src/experiments/verdict.ts";
import type { Log } from "../../../streams/log/log.ts";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import { openLog, testBroker } from "../../log/kafka_broker.ts";
import { simulate, type SimulationView } from "../../../scripts/simulate/simulation.ts";

const run = (requests: number, users: number, log: Log = new MemoryLog()): Promise<SimulationView> =>
  simulate(log, {
    requests,
    users,
    seed: 4,
    items: 120,
    model: "base",
    modelConfig: {},
    task: { schema: DEFAULT_SCHEMA, seed: 4 },
    learner: { schema: DEFAULT_SCHEMA, seed: 4 },
    learning: { trimSamples: log instanceof MemoryLog },
    retain: !(log instanceof MemoryLog),
    experiment: { name: "model", variants: [{ name: "popularity", model: "prior" }, { name: "base" }] },
  });

Deno.test("simulate() serves both variants between the random and the best lists, and counts their outcomes", async () => {
  const { pages, totals, ratio, learning } = await run(600, 120);
  assert.equal(pages.length, 600);
  for (const { variant, served, best, random, rows, clicks } of pages) {
    assert.ok(variant === 0 || variant === 1);
    assert.ok(served <= best + 1e-9 && random < best && rows === 10 && clicks <= 10);
  }
  const mean = (of: (page: typeof pages[number]) => number) =>
    pages.reduce((sum, page) => sum + of(page), 0) / 600;
  assert.ok(mean((page) => page.served) > 1.5 * mean((page) => page.random), "it learns");
  assert.ok(Math.abs(mean((page) => page.clicks) / 10 - mean((page) => page.served)) < 0.02);
  const counted = [0, 1].map((v) => totals.moments(v));
  assert.equal(counted[0]!.total("lists") + counted[1]!.total("lists"), 600);
  assert.ok(learning.validation.judged > 1000 && learning.version > 20);
  assert.equal(ratio.mismatch, false);
  assert.equal(verdicts(totals, ratio).length, 1);
});

// A broker of its own, as topics have their default names.
const broker = await testBroker({});
if (broker !== undefined) {
  Deno.test("simulate() serves the same pages on Kafka as in memory", async () => {
    await using log = await openLog(broker);
    assert.deepEqual((await run(40, 30, log)).pages, (await run(40, 30)).pages);
  });
}

Deno.test("simulate() gives the same pages for the same seed, and ends when its world does", async () => {
  assert.deepEqual((await run(60, 40)).pages, (await run(60, 40)).pages);
  const { pages } = await run(600, 2);
  assert.ok(pages.length > 0 && pages.length < 600);
});
