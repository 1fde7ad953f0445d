/**
 * The experiments of a deployment under faults: one breaks its guard rail, so that the monitor has to stop it, and one
 * interleaves to the end.
 *
 * @module
 */

import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import type { Log } from "../../streams/log/log.ts";
import type { Topics } from "../../streams/topics/topics.ts";

/** Starts them, on topics that exist. @param model the deployment's model @param time of the change */
export async function startExperiments(
  log: Log,
  topics: Topics,
  { model, time }: { readonly model: string; readonly time: number },
): Promise<void> {
  const changes = new ExperimentRegistry(log, topics, { models: [model], now: () => time });
  await changes.start({
    name: "short",
    layer: "length",
    traffic: 0.8,
    variants: [{ name: "A" }, { name: "B", diversity: { perCategory: 1 } }],
    guardRails: [{ metric: "clicksPerList", tolerance: 0.05 }],
    stopRule: { minUsers: 25, maxUsers: 1000 },
  });
  await changes.start({
    name: "draft",
    layer: "chance",
    mode: "interleave",
    variants: [{ name: "A" }, { name: "B", policy: { name: "epsilon", epsilon: 0.2 } }],
  });
}
