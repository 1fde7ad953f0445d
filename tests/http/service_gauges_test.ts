import assert from "node:assert/strict";
import { Registry } from "prom-client";
import { createTaskCounters } from "../../src/engine/task_counters.ts";
import { SourceCounts } from "../../src/retrieval/source_counts.ts";
import { ServiceGauges } from "../../streams/http/service_gauges.ts";
import type { Service } from "../../streams/service/service.ts";

/** A service with everything that gauges can show. */
function everything(): Service {
  const sourceCounts = new SourceCounts([{ name: "follows", proposals: 5 }, { name: "mute", proposals: 0 }]);
  sourceCounts.countListed("drawn");
  sourceCounts.countTaken(["follows"]);
  sourceCounts.countTaken([]);
  const panels = [
    { name: "slot_cosine", title: "", about: "About.", unit: "number", values: [0.25] },
    { name: "slot_usage", title: "", about: "About.", unit: "share", per: "slot", values: [0.5, null, 0.1] },
  ];
  const state = {
    counters: { ...createTaskCounters(), events: 12, tooLate: 3 },
    memory: { bytes: 1000, newest: () => [{}] },
    models: { recurrentState: () => Float32Array.of(1) },
    retrieval: { sourceCounts, orders: { parts: ["blend", "model"] } },
  };
  const quality = { rows: 9, ctr: 0.1, auc: 0.7, entropy: null, calibration: 1.1 };
  const learner = {
    version: 8,
    rows: 90,
    modelShare: 0.5,
    failures: 1,
    lost: 2,
    rollbacks: 3,
    heldBatches: 4,
    quality,
    tableBytes: 5000,
  };
  const partition = { partition: 0, lag: 2, users: 7, othersLag: 1, othersLearnt: 6, snapshot: null };
  const status = {
    partitions: [
      // It waits for room or for a version, without a slow restore.
      { ...partition, watermark: 5000, restoring: true, restore: null },
      {
        ...partition,
        partition: 1,
        watermark: null,
        restoring: true,
        restore: { share: 0.5, records: 10, secondsLeft: null },
        snapshot: { bytes: 100, unwritten: 20, failure: "no room" },
      },
    ],
    version: 8,
    learner: { lag: 11 },
    monitor: { running: 1, lag: 2, stopped: 3, lost: 4 },
    sources: { isReading: true, lags: [{ source: "shop", partition: 1, lag: 5, lagMs: 1500, lost: 0 }] },
    rebuild: { generation: 2, failure: "no room" },
  };
  const service = {
    status: () => Promise.resolve(status),
    tasks: new Map([[0, { state }]]),
    serving: { model: "base", stateSize: 1, inspect: () => panels },
    learner,
    unreadPartitions: 2,
  };
  return service as unknown as Service; // all that is read
}

/** The metrics' samples, without those of the process. */
const samplesOf = async (registry: Registry) =>
  (await registry.metrics()).split("\n")
    .filter((line) => line.startsWith("meander_") && !/part="(?:heap|external)"| 0$/.test(line));

const SAMPLES = `
meander_consumer_lag{partition="0"} 2
meander_consumer_lag{partition="1"} 2
meander_watermark_timestamp_seconds{partition="0"} 5
meander_users{partition="0"} 7
meander_users{partition="1"} 7
meander_signals_lag{partition="0"} 1
meander_signals_lag{partition="1"} 1
meander_signals_learnt_total{partition="0"} 6
meander_signals_learnt_total{partition="1"} 6
meander_restoring{partition="1"} 1
meander_restore_ratio{partition="1"} 0.5
meander_restore_records{partition="1"} 10
meander_snapshot_failing{partition="1"} 1
meander_task_events_total{partition="0"} 12
meander_task_too_late_total{partition="0"} 3
meander_retrieval_taken_total{partition="0"} 2
meander_retrieval_listed_total{partition="0",source="drawn"} 1
meander_retrieval_proposed_total{partition="0",source="follows"} 1
meander_ordering_parts{partition="0",part="blend"} 1
meander_ordering_parts{partition="0",part="model"} 1
meander_serving_version{model="base"} 8
meander_learner_version{model="base"} 8
meander_learner_lag_samples{model="base"} 11
meander_learner_rows{model="base"} 90
meander_learner_auc{model="base"} 0.7
meander_learner_calibration_ratio{model="base"} 1.1
meander_learner_positive_ratio{model="base"} 0.1
meander_learner_model_share{model="base"} 0.5
meander_learner_failures{model="base"} 1
meander_learner_lost{model="base"} 2
meander_learner_rollbacks{model="base"} 3
meander_learner_held_batches{model="base"} 4
meander_monitor_running 1
meander_monitor_lag 2
meander_monitor_stopped 3
meander_monitor_lost 4
meander_sources_reading 1
meander_rebuild_failed 1
meander_unread_partitions 2
meander_source_lag_records{source="shop",partition="1"} 5
meander_source_lag_seconds{source="shop",partition="1"} 1.5
meander_memory_bytes{part="states"} 1000
meander_memory_bytes{part="embeddings"} 5000
meander_slot_cosine{partition="0"} 0.25
meander_slot_usage{partition="0",slot="0"} 0.5
meander_slot_usage{partition="0",slot="2"} 0.1`;

Deno.test("ServiceGauges.collect() shows current values, also to concurrent scrapes, and none of what is gone", async () => {
  const registry = new Registry();
  const gauges = new ServiceGauges(registry);
  const service = everything();
  await gauges.collect(service);
  const want = SAMPLES.trim().split("\n").sort();
  assert.deepEqual((await samplesOf(registry)).sort(), want);
  await Promise.all([gauges.collect(service), gauges.collect(service)]);
  assert.deepEqual((await samplesOf(registry)).sort(), want);
  await gauges.collect(undefined);
  assert.deepEqual(await samplesOf(registry), []);
});
