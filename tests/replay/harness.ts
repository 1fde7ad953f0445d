/**
 * Replays in this process, small and fast: options, and what two replays must agree on.
 *
 * @module
 */

import type { ModelName } from "../../src/nn/models/registry.ts";
import type { Log } from "../../streams/log/log.ts";
import { replay, type ReplayOptions, type ReplayResult } from "../../streams/replay/replay.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { sourceOf } from "../sources/synthetic.ts";

/** Options that reach every path on a few hundred events: several checkpoints, snapshots, and short rounds. */
export function smallReplay(model: ModelName, over: Partial<ReplayOptions> = {}): ReplayOptions {
  const schema = {
    userFields: ["age"],
    itemFields: ["band"],
    contextFields: ["hour", "surface"],
    crosses: ["band"],
  };
  return {
    model,
    modelConfig: {},
    task: {
      schema,
      impressions: "logged",
      outcomeWindowMs: 5 * 60_000,
      policy: { name: "epsilon", epsilon: 0.2 },
      maxStaleVersions: 3,
    },
    learner: { schema, embeddingWidth: 4, auxWeight: model === "dien" ? 0.1 : 0 },
    learning: { batchRows: 32, checkpointBatches: 5, snapshotVersions: 4 },
    roundEvents: 40,
    manifest: JSON.stringify({ model }),
    ...over,
  };
}

export function replayOn(
  log: Log,
  records: readonly SourceRecord[],
  options: ReplayOptions,
): Promise<ReplayResult> {
  return replay(log, sourceOf(records), options);
}

/** What must be the same, bit for bit, however often a replay was stopped. */
export function outcomeOf({ task, learning, rejections, digests, events }: ReplayResult): object {
  return {
    digests,
    events,
    counters: { ...task.counters },
    metrics: learning.validation.rows.report(),
    marks: learning.validation.marks,
    version: learning.version,
    failures: learning.failures,
    rejected: rejections.groups,
  };
}
