/** What `run` drops in the background: old records, replaced generations, and leftovers of builds. */

import { getLogger } from "@logtape/logtape";
import type { Config } from "../../streams/config/config.ts";
import { dropBuildSnapshots } from "../../streams/generations/online/build_snapshots.ts";
import { dropKept } from "../../streams/service/erasure/drop_generation.ts";
import { isShared } from "../../streams/log/capabilities.ts";
import type { Log } from "../../streams/log/log.ts";
import { Repeated } from "../../streams/service/erasure/background.ts";
import { Retention } from "../../streams/service/erasure/retention.ts";
import type { Service } from "../../streams/service/service.ts";
import type { Topics } from "../../streams/topics/topics.ts";
import type { RunSettings } from "./settings.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const logger = getLogger(["meander", "run"]);

/** What a process serves, once nothing is built alongside. */
export interface Settled {
  readonly log: Log;
  /** Topics of the first generation. */
  readonly topics: Topics;
  readonly settings: RunSettings;
  readonly service: Service;
  /** How the generation of the service is made. */
  readonly config: Config;
  readonly isNewest: boolean;
}

/** Drops what a deployment no longer needs, until disposed. */
export function dropUnneeded(
  { log, topics, settings: { flags: { keep }, snapshots }, service, config, isNewest }: Settled,
): AsyncDisposable {
  const dropping = new AsyncDisposableStack();
  dropping.use(dropOld(service, config));
  dropping.use(dropLeftBuild(log, topics, snapshots?.folder));
  if (isNewest) dropping.use(dropReplaced(log, topics, keep));
  return dropping;
}

/** Drops old records where no broker does so. */
function dropOld({ deployment }: Service, config: Config): Retention | undefined {
  const { retention: settings = {}, outcomeWindowMs } = config;
  if (isShared(deployment.log)) {
    if (config.retention !== undefined) {
      logger.warn(
        "`retention` has no effect on Kafka: set retention.ms of its topics with kafka.topicConfig",
      );
    }
    return undefined;
  }
  const clocks = { now: Date.now, clock: () => performance.now() };
  return new Retention(deployment, { settings, outcomeWindowMs, ...clocks }).start();
}

/** Removes the snapshots that a killed or abandoned build left behind. */
function dropLeftBuild(log: Log, topics: Topics, snapshots: string | undefined): Repeated | undefined {
  if (snapshots === undefined) return undefined;
  const repeated = new Repeated();
  const work = async () => {
    const names = await dropBuildSnapshots(log, topics, snapshots);
    if (names.length > 0) logger.info("removed leftovers of a build: {names}", { names: names.join(", ") });
  };
  repeated.start(work, HOUR_MS, "remove the snapshots of a build", logger);
  return repeated;
}

/** Drops generations that were replaced `days` ago or earlier. */
function dropReplaced(log: Log, topics: Topics, days: number | undefined): Repeated | undefined {
  if (days === undefined) return undefined;
  const repeated = new Repeated();
  const work = async () => {
    for (const number of await dropKept(log, topics, days * DAY_MS, Date.now())) {
      logger.info("generation {number} is dropped: another one has served for {days} days", { number, days });
    }
  };
  repeated.start(work, HOUR_MS, "drop generations", logger);
  return repeated;
}
