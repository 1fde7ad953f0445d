import assert from "node:assert/strict";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import type { ReplayResult } from "../../streams/replay/replay.ts";
import { replayJson, reportData } from "../../streams/replay/replay_report.ts";
import { reportCharts } from "../../streams/report/charts.ts";
import { renderSummary } from "../../streams/report/summary.ts";
import { replayOn, smallReplay } from "./harness.ts";
import { syntheticRecords } from "../sources/synthetic.ts";

const FACTS = {
  command: "deno task replay",
  kernels: "plain",
  dataSet: "synthetic",
  started: 1000,
  finished: 3000,
  evalFrom: 0,
  tail: null,
  speeds: [],
  notes: [],
};

const run = (over = {}, views = 200): Promise<ReplayResult> => {
  const options = smallReplay("base");
  const learner = { ...options.learner, ...over };
  return replayOn(new MemoryLog(), syntheticRecords({ views, seed: 5 }), { ...options, learner });
};

Deno.test("reportData() agrees with the replay: totals, metrics, curve, calibration", async () => {
  const result = await run();
  const { rows } = result.learning.validation;
  const data = reportData(result, FACTS);
  assert.equal(data.totals.events, result.task.counters.events);
  assert.equal(data.totals.rows, rows.length);
  assert.equal(data.totals.seconds, 2);
  assert.equal(data.totals.eventsPerSecond, result.events / 2, "those that came twice too");
  assert.equal(data.totals.rejected, result.rejections.count);
  assert.deepEqual(data.metrics.overall, rows.report());
  assert.deepEqual(data.metrics.tail, rows.report(rows.length - Math.floor(rows.length / 3)));
  assert.equal(data.metrics.newUsers.rows + data.metrics.returningUsers.rows, rows.length);
  assert.equal(data.calibration.reduce((sum, bin) => sum + bin.rows, 0), rows.length);
  const predicted = data.calibration.map((bin) => bin.predicted);
  assert.deepEqual(predicted, predicted.toSorted((a, b) => a - b));
  const observed = data.calibration.reduce((sum, bin) => sum + bin.rows * bin.observed, 0);
  assert.ok(Math.abs(observed - data.totals.clicks) < 1e-6);
  assert.equal(data.curve.at(-1)?.rows, rows.length);
  assert.ok(data.curve.length > 10 && data.curve.length <= 200);
});

Deno.test("reportData() has no figures, and does not fail, when evaluation starts after the last row", async () => {
  const data = reportData(await run({}, 30), { ...FACTS, evalFrom: 1e9, tail: 1e9 });
  assert.equal(data.metrics.overall.rows, 0);
  assert.equal(data.metrics.overall.auc, null);
  assert.equal(data.metrics.tail.rows, data.totals.rows, "a tail longer than the replay is the replay");
  assert.deepEqual(data.calibration, []);
});

Deno.test("reportData() shows how MIMN uses its memory, and nothing of it for models without one", async () => {
  const options = smallReplay("mimn");
  const result = await replayOn(new MemoryLog(), syntheticRecords({ views: 200, seed: 5 }), options);
  const data = reportData(result, FACTS);
  const { inspection } = data;
  assert.ok(inspection !== undefined && inspection.users > 1);
  const valuesOf = (name: string, { panels } = inspection) =>
    panels.find((panel) => panel.name === name)?.values.map((value) => value ?? NaN) ?? [];
  const [usage, [cosine = NaN], [mass = NaN]] = [
    valuesOf("slot_usage_ratio"),
    valuesOf("slot_cosine"),
    valuesOf("slot_write_mass"),
  ];
  assert.equal(usage.length, 4);
  assert.ok(Math.abs(usage.reduce((sum, share) => sum + share, 0) - 1) < 1e-6);
  assert.ok(Math.abs(cosine) <= 1 && mass > 0);
  assert.deepEqual(replayJson(data)["inspection"], {
    users: inspection.users,
    slot_cosine: cosine,
    slot_usage_ratio: usage,
    slot_write_mass: mass,
  });
  assert.deepEqual(data.curve.at(-1)?.inspection, inspection, "the last point is of the end");
  const [first = NaN] = valuesOf("slot_write_mass", data.curve[0]?.inspection);
  assert.ok(first < mass);
  const charts = reportCharts(data).map(({ id, option }) => [id, option !== null]);
  for (const id of ["slot-cosine", "slot-usage-ratio", "slot-write-mass"]) {
    assert.ok(charts.some(([name, drawn]) => name === id && drawn), id);
  }
  assert.match(renderSummary(data), /slot usage ratio +\d+\.\d % to \d+\.\d %, 4 slots/);

  const other = reportData(await run(), FACTS);
  assert.equal(other.inspection, undefined);
  assert.ok(
    !JSON.stringify(replayJson(other)).includes("inspection") &&
      reportCharts(other).every(({ id }) => !id.startsWith("slot")),
  );
});

Deno.test("reportData() leaves the losses of failed batches out of the curve", async () => {
  const result = await run({ learningRate: 1e38 });
  assert.ok(result.learning.failures > 0);
  for (const { loss, auxLoss } of reportData(result, FACTS).curve) {
    assert.ok((loss === null || Number.isFinite(loss)) && (auxLoss === null || Number.isFinite(auxLoss)));
  }
});

Deno.test("replayJson() has the fields that others read, and survives JSON", async () => {
  const data = reportData(await run({}, 60), FACTS);
  const json = JSON.parse(JSON.stringify(replayJson(data)));
  const fields = "command model events requests impressions rejected seconds metrics tail digests".split(" ");
  for (const field of fields) assert.ok(field in json, field);
  assert.deepEqual(json.metrics, JSON.parse(JSON.stringify(data.metrics.overall)));
  assert.deepEqual(json.tail, JSON.parse(JSON.stringify(data.metrics.tail)));
  assert.deepEqual(Object.keys(json.digests).sort(), ["parameters", "samples", "states"]);
});
