/**
 * A process of `deno task run`: opens the deployment, serves it, and builds another generation alongside if asked to.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Config, knownNames } from "../../streams/config/config.ts";
import type { OnlineOptions } from "../../streams/generations/online/online.ts";
import { Succession } from "../../streams/generations/succession.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { ignore } from "../../streams/log/ignore.ts";
import { checkPlace } from "../../streams/server/serve.ts";
import { diskShortage } from "../../streams/service/disk_room.ts";
import { Replaceable } from "../../streams/service/replaceable.ts";
import { configureLogging } from "../../streams/settings/logging.ts";
import { generationTopics } from "../../streams/topics/topics.ts";
import { buildBeside } from "./build_beside.ts";
import { dropLeftBuild, dropOld, dropReplaced } from "./dropping.ts";
import type { Flags } from "./flags.ts";
import { listen } from "./listen.ts";
import { logStatus } from "./meter.ts";
import { type OnlinePlan, runOnline, setupOf } from "./online.ts";
import { agreeWith, onceThereIsRoom, open } from "./opening.ts";
import { memoryOf, type RunParts } from "./service_options.ts";
import { Services } from "./services.ts";
import { levelOf, readSettings } from "./settings.ts";

const logger = getLogger(["meander", "run"]);

/** How a process is told to stop, and reports what it still has to do. */
export interface Stopping {
  /** Resolves when the process is to stop. */
  readonly stopped: Promise<void>;
  /** Receives a function that lists the work left before it has stopped. */
  readonly onWork: (unfinished: () => readonly string[]) => void;
  /** Called when the service has failed for good, and ends. */
  readonly onFailure: () => void;
}

/** Serves until it is stopped. @returns the exit code */
export async function serve(flags: Flags, { stopped, onWork, onFailure }: Stopping): Promise<number> {
  await configureLogging(levelOf(flags));
  const settings = await readSettings(flags);
  if (settings.http !== undefined) checkPlace(settings.http); // a process that ends here disturbs no group
  const opened = await open(settings, stopped);
  if (opened === null) return 0;
  const { topics, serving, metrics } = opened;
  await using log = opened.log;
  const agreed = await onceThereIsRoom(() => agreeWith(log, topics, settings, stopped), stopped);
  if (agreed === null) return 0;
  const { plan, setup, outputs, generation } = agreed;
  serving.follow(generationTopics(topics, generation)); // another may have taken over since it was opened
  const parts: RunParts = { metrics, outputs, memory: memoryOf(flags, plan === null ? 1 : 2) };
  const services = new Services(log, { topics, settings, parts, first: generation, plan });
  const started = await onceThereIsRoom(() => services.start(setup, generation), stopped);
  if (started === null) return 0;
  const { service: first, ends } = started;
  const place = new Replaceable(first, serving);
  await using _service = { [Symbol.asyncDispose]: () => place.current.stop() };
  onWork(() => place.service.unfinished);

  await using dropping = new AsyncDisposableStack();
  const drop = (as: Config, isNewest: boolean) => {
    services.buildIsOver(isNewest);
    dropping.use(dropOld(place.current, as));
    dropping.use(dropLeftBuild(log, topics, settings.snapshots?.folder));
    if (isNewest) dropping.use(dropReplaced(log, topics, flags.keep));
  };
  if (plan === null) drop(setup.config, true);
  const { service } = place;
  const { http: address, keys, config, folder } = settings;
  const server = address && await listen({
    ...address,
    log,
    prefix: flags.prefix,
    service,
    metrics,
    keys,
    settings: config.http ?? {},
    sources: config.sources,
    names: knownNames(config),
    checks: () => diskShortage(folder),
  });

  const switching = new AbortController();
  const { signal } = switching;
  const succession = new Succession(log, {
    topics,
    place,
    ends,
    signal,
    serving: generation,
    start: async (number) => await services.start(await setupOf(log, topics, number, config), number),
    clock: () => performance.now(),
    now: Date.now,
  });
  const build = async (plan: OnlinePlan) => {
    const start: OnlineOptions["start"] = (warm, ends, number) =>
      services.startWarm(plan.newSetup, number, { ends, warm });
    const isSwitched = await buildBeside({
      build: () => runOnline(plan, { log, topics, settings, parts, succession, start, signal }),
      isReleased: () => place.isReleased,
      onFailure: (failure) => services.buildHasFailed(failure),
      signal,
    });
    if (!signal.aborted) drop((isSwitched ? plan.newSetup : plan.servingSetup).config, isSwitched);
  };
  const built = plan === null ? stopped : build(plan);
  using _status = logStatus(service);
  const parallel = [built, succession.ended].map((one) => one.then(() => stopped));
  await Promise.race([stopped, lastOf(place), ...parallel]).catch((error) => {
    logger.error("failed, and ends: {reason}", { reason: reasonOf(error) });
    onFailure();
    throw error;
  });
  switching.abort();
  await ignore(built, "the next start resumes where it was");
  await ignore(succession.ended, "the race above has it");
  await server?.stop(); // first: requests that it has begun still need the tasks
  await place.current.stop();
  await place.current.ended;
  logger.info("stopped");
  return 0;
}

/** Resolves when the service in a place has ended without being replaced. */
async function lastOf(place: Replaceable): Promise<void> {
  for (let service = place.current;; service = place.current) {
    await service.ended;
    if (service === place.current) return;
  }
}
