/** Compares the configuration with the one that a deployment was made with. */

import { TASK_OPTIONS } from "../../src/engine/task_options.ts";
import { settle } from "../../src/options/option.ts";
import { blueprintChanges, blueprintOf, type DeploymentFlags } from "../../streams/config/blueprint.ts";
import type { Config } from "../../streams/config/config.ts";
import { withKeptDefaults } from "../../streams/config/kept_defaults.ts";
import { changeText } from "../../streams/generations/changes.ts";
import type { Log, LogRemark } from "../../streams/log/log.ts";
import { valueAt } from "../../streams/settings/config_fault.ts";
import { generationsOf } from "../../streams/topics/generations.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { topicNames } from "../../streams/topics/topics.ts";

/** Newer defaults that a deployment with the former ones may adopt, if they have an effect. */
const GAINS = [
  {
    path: ["features", "pooled"],
    counts: () => true,
    says: "predict better",
    remedy: '`"features": {"pooled": true}` and `deno task meander rebuild --keep-weights`',
  },
  {
    path: ["retrieval", "head"],
    counts: (config: Config) =>
      settle(TASK_OPTIONS, config).ranking === "auto" && config.retrieval?.learn !== false,
    says: "order better where lists come from retrieval",
    remedy: '`"retrieval": {"head": true}`, which `run` adopts when it starts',
  },
] as const;

/** How the configuration differs from the record of the deployment; flags of `run` are not known here. */
export async function differences(
  log: Log,
  prefix: string,
  config: Config | null,
): Promise<readonly LogRemark[]> {
  const topics = topicNames(prefix);
  const recorded = (await generationsOf(log, topics)).get(await servingGeneration(log, topics));
  if (config === null) return [];
  const kept = await withKeptDefaults(log, topics, config);
  const isKept = (path: readonly string[]) => valueAt(kept, path) !== valueAt(config, path);
  const gain = GAINS.filter(({ path, counts }) => isKept(path) && counts(config)).map((
    { path, says, remedy },
  ) => ({
    what: `${path.join(".")} is false here, the former default: new deployments have it on and ${says}`,
    remedy: `${remedy}; or leave it off`,
    isProblem: false,
  }));
  // Without a file, there is nothing to compare.
  if (recorded === undefined || Object.keys(config).length === 0) return gain;
  const now = blueprintOf(kept, recorded.blueprint as DeploymentFlags); // with names that this release has
  const changes = blueprintChanges(recorded.blueprint, now).map((change) => ({
    what: `the configuration differs from the deployment: ${changeText(change)}`,
    remedy: change.reach === "rebuild"
      ? "change it back, or run `deno task meander rebuild`: `run` does not start with it"
      : "none needed: `run` adopts it when it starts; or change it back",
    isProblem: change.reach === "rebuild",
  }));
  const dropped = changes.some(({ isProblem }) => isProblem) ? await droppedEvents(log, topics.events) : 0;
  const loss = dropped === 0 ? [] : [{
    what:
      `${dropped} offsets of events are no longer on the log: a rebuild carries over behaviours in sequences and ` +
      "profiles; earlier lists with outcomes, values and rates are lost",
    remedy: "none needed; or `ingest` those events from an archive under another --prefix",
    isProblem: false,
  }];
  return [...gain, ...changes, ...loss];
}

/** How many offsets of a topic the log has dropped. */
async function droppedEvents(log: Log, topic: string): Promise<number> {
  const partitions = (await log.identify(topic))?.partitions ?? 0;
  const starts = Array.from({ length: partitions }, async (_, p) => (await log.bounds(topic, p)).start);
  return (await Promise.all(starts)).reduce((sum, start) => sum + start, 0);
}
