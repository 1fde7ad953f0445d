/**
 * A process of `deno task run`: opens the deployment, serves it, and builds another generation alongside if asked to.
 */

import { getLogger } from "@logtape/logtape";
import type { Config } from "../../streams/config/config.ts";
import { Succession } from "../../streams/generations/succession.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { ignore } from "../../streams/log/ignore.ts";
import { checkPlace } from "../../streams/server/serve.ts";
import { Replaceable } from "../../streams/service/replaceable.ts";
import { configureLogging } from "../../streams/settings/logging.ts";
import { generationTopics } from "../../streams/topics/topics.ts";
import { buildBeside } from "./build_beside.ts";
import { dropUnneeded } from "./dropping.ts";
import type { Flags } from "./flags.ts";
import { listen } from "./listen.ts";
import { logStatus } from "./meter.ts";
import { type OnlinePlan, type OnlineRun, runOnline, setupOf } from "./online.ts";
import { agreeWith, open, retryWhileUnavailable } from "./opening.ts";
import { memoryOf, type RunParts } from "./service_options.ts";
import { Services } from "./services.ts";
import { levelOf, readSettings } from "./settings.ts";

const logger = getLogger(["meander", "run"]);

/** How a process is stopped, and how it reports its remaining work. */
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
  if (settings.http !== undefined) checkPlace(settings.http); // a process that fails here disturbs no group
  const opened = await open(settings, stopped);
  if (opened === null) return 0;
  const { topics, serving, metrics } = opened;
  await using log = opened.log;
  const agreed = await retryWhileUnavailable(() => agreeWith(log, topics, settings), stopped);
  if (agreed === null) return 0;
  const { plan, setup, outputs, generation } = agreed;
  serving.follow(generationTopics(topics, generation)); // another generation may have taken over since it was opened
  const parts: RunParts = { metrics, outputs, memory: memoryOf(flags, plan === null ? 1 : 2) };
  const services = new Services(log, { topics, settings, parts, first: generation, plan });
  const first = await retryWhileUnavailable(() => services.start(setup, generation), stopped);
  if (first === null) return 0;
  const place = new Replaceable(first.service, serving);
  await using _service = { [Symbol.asyncDispose]: () => place.current.stop() };
  onWork(() => place.service.unfinished);
  await using dropping = new AsyncDisposableStack();
  const drop = (config: Config, isNewest: boolean) =>
    dropping.use(dropUnneeded({ log, topics, settings, service: place.current, config, isNewest }));
  if (plan === null) drop(setup.config, true);
  const { service } = place;
  const server = await listen(settings, { log, service, metrics });

  const switching = new AbortController();
  const { signal } = switching;
  const succession = new Succession(log, {
    topics,
    place,
    ends: first.ends,
    signal,
    serving: generation,
    onRecord: (serving) => services.compare(serving),
    start: async (number) =>
      await services.start(await setupOf(log, topics, number, settings.config), number),
    clock: () => performance.now(),
    now: Date.now,
  });
  const run = { log, topics, settings, parts, succession, signal };
  const built = plan === null ? stopped : build(plan, run, { services, drop });
  using _status = logStatus(service);
  const parallel = [built, succession.ended].map((one) => one.then(() => stopped));
  await Promise.race([stopped, lastOf(place), ...parallel]).catch((error) => {
    logger.error("failed, ending: {reason}", { reason: reasonOf(error) });
    onFailure();
    throw error;
  });
  switching.abort();
  await ignore(built, "the next start resumes it");
  await ignore(succession.ended, "the race above handles it");
  await server?.stop(); // first: requests in progress still need the tasks
  await place.current.stop();
  await place.current.ended;
  logger.info("stopped");
  return 0;
}

/** What follows a build. */
interface AfterBuild {
  readonly services: Services;
  /** Drops what the generation that then serves does not need. */
  readonly drop: (config: Config, isNewest: boolean) => void;
}

/** Builds what is planned, and switches to it. */
async function build(
  plan: OnlinePlan,
  run: Omit<OnlineRun, "start">,
  { services, drop }: AfterBuild,
): Promise<void> {
  const { signal, succession: { place } } = run;
  const start: OnlineRun["start"] = async (tasks, ends, number) =>
    (await services.start(plan.newSetup, number, { tasks, ends })).service;
  const isSwitched = await buildBeside({
    build: () => runOnline(plan, { ...run, start }),
    isReleased: () => place.isReleased,
    onFailure: (failure) => services.buildHasFailed(failure),
    signal,
  });
  if (signal.aborted) return;
  services.buildIsOver(isSwitched);
  drop((isSwitched ? plan.newSetup : plan.servingSetup).config, isSwitched);
}

/** Resolves when the service in a place has ended without being replaced. */
async function lastOf(place: Replaceable): Promise<void> {
  for (let service = place.current;; service = place.current) {
    await service.ended;
    if (service === place.current) return;
  }
}
