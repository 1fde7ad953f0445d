/**
 * A process of `deno task run`: opens the deployment, serves it, and builds another generation alongside if asked to.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import manifest from "../../deno.json" with { type: "json" };
import { type Config, knownNames } from "../../streams/config/config.ts";
import { checkServing } from "../../streams/generations/check_serving.ts";
import { NEWEST_FORMATS } from "../../streams/generations/formats.ts";
import { generationLog } from "../../streams/generations/generation_log.ts";
import type { OnlineOptions } from "../../streams/generations/online/online.ts";
import { boundedLog } from "../../streams/generations/rebuild.ts";
import { type Bounded, mayWork, Succession } from "../../streams/generations/succession.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { ignore } from "../../streams/log/ignore.ts";
import { type Log, LogError } from "../../streams/log/log.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { checkPlace } from "../../streams/server/serve.ts";
import { diskShortage } from "../../streams/service/disk_room.ts";
import { beforeTopics } from "../../streams/service/create_topics.ts";
import { Replaceable, ServingTopics } from "../../streams/service/replaceable.ts";
import { Service } from "../../streams/service/service.ts";
import { configureLogging } from "../../streams/settings/logging.ts";
import { noteFormats } from "../../streams/topics/format_notes.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { generationTopics, topicNames, type Topics } from "../../streams/topics/topics.ts";
import { placeOf } from "../flags/log_flags.ts";
import { openLog, partitionsOf, tasksOn } from "../flags/service_flags.ts";
import { agreeOn } from "./agreement.ts";
import { buildBeside } from "./build_beside.ts";
import { dropLeftBuild, dropOld, dropReplaced } from "./dropping.ts";
import type { Flags } from "./flags.ts";
import { listen } from "./listen.ts";
import { logStatus } from "./meter.ts";
import { isToBuild, type OnlinePlan, planOnline, runOnline, setupOf } from "./online.ts";
import { outputsOf } from "./outputs.ts";
import { type GenerationSetup, memoryOf, type RunParts, serviceOptions } from "./service_options.ts";
import { levelOf, readSettings, type RunSettings } from "./settings.ts";
import type { ServiceOptions } from "../../streams/service/jobs/options.ts";
import type { ServiceStatus } from "../../streams/service/status.ts";

/** Interval between messages while the log cannot be opened, and between attempts while it has no room. */
const WAITING_MS = 5000;

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

/** What all services of the process have in common. */
interface ServicesParts {
  /** Topics of the first generation. */
  readonly topics: Topics;
  readonly settings: RunSettings;
  readonly parts: RunParts;
  /** Number of the generation that serves at the start. */
  readonly first: number;
  readonly plan: OnlinePlan | null;
}

/** Starts services of generations, and tells them what is built alongside. */
class Services {
  readonly #log: Log;
  readonly #with: ServicesParts;
  /** Topics of what is built. */
  #building: Topics | null;
  #rebuild: ServiceStatus["rebuild"];

  constructor(log: Log, parts: ServicesParts) {
    const { topics, plan } = parts;
    this.#log = log;
    this.#with = parts;
    this.#building = plan && generationTopics(topics, plan.generation.number);
    this.#rebuild = plan && { generation: plan.generation.number, failure: null };
  }

  /** Starts a service that restores its tasks. */
  async start(setup: GenerationSetup, generation: number): Promise<Bounded> {
    const ends = new Array<number>(setup.partitions).fill(Infinity);
    return { ends, service: await this.startWarm(setup, generation, { ends }) };
  }

  /** Starts a service, with its tasks if they are given. */
  async startWarm(
    setup: GenerationSetup,
    generation: number,
    { ends, warm }: { readonly ends: number[]; readonly warm?: ServiceOptions["warm"] },
  ): Promise<Service> {
    const { topics, settings, parts, first } = this.#with;
    const own = await generationLog(this.#log, topics, generation);
    return await Service.start(boundedLog(own, topics.events, ends), {
      ...serviceOptions(setup, settings, parts),
      generation,
      warm,
      beside: () => this.#building,
      rebuild: () => this.#rebuild,
      ...(generation !== first && { serveVersion: undefined }),
      mayWork: (signal) => mayWork(this.#log, topics, generation, signal),
    });
  }

  buildHasFailed(failure: string): void {
    this.#rebuild = this.#rebuild && { ...this.#rebuild, failure };
  }

  /** Ends the build. @param isNewest whether the newest generation serves */
  buildIsOver(isNewest: boolean): void {
    this.#building = null;
    if (isNewest) this.#rebuild = null;
  }
}

interface Opened {
  readonly log: Log & AsyncDisposable;
  /** Topics of the first generation. */
  readonly topics: Topics;
  readonly serving: ServingTopics;
  readonly metrics: Metrics;
}

/** Opens a deployment; waits, and logs that, while its log is unavailable. @returns `null` if stopped meanwhile */
async function open({ flags, config }: RunSettings, stopped: Promise<void>): Promise<Opened | null> {
  const topics = topicNames(flags.prefix);
  logger.info("opening the log {place}", { place: placeOf(flags, config) });
  const opening = async () => {
    const waiting = setInterval(() => logger.warn("waiting for the log"), WAITING_MS);
    using _waiting = { [Symbol.dispose]: () => clearInterval(waiting) };
    return await Promise.race([openLog(flags, { membersFolder: flags.members, config }), stopped]);
  };
  const log = await onceThereIsRoom(opening, stopped) ?? null;
  if (log === null) return null;
  const serving = new ServingTopics(generationTopics(topics, await servingGeneration(log, topics)));
  const metrics = new Metrics(serving.topics);
  return { log: meteredLog(log, metrics), topics, serving, metrics };
}

/** Does what writes to the log, and again while it has no room, which is logged. @returns `null` if stopped meanwhile */
async function onceThereIsRoom<Result>(
  act: () => Promise<Result>,
  stopped: Promise<void>,
): Promise<Result | null> {
  const isStopped = stopped.then(() => true);
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "full") throw error;
      logger.warn("waiting for room: {reason}", { reason: reasonOf(error) });
    }
    if (await Promise.race([isStopped, delay(WAITING_MS, false)])) return null;
  }
}

/** What the process runs. */
interface Agreed {
  /** Number of the generation that serves, and how it is set up. */
  readonly generation: number;
  readonly setup: GenerationSetup;
  /** What is built alongside it. */
  readonly plan: OnlinePlan | null;
  readonly outputs: RunParts["outputs"];
}

/** Agrees with the deployment on what to run, and records it once nothing can refuse it any more. */
async function agreeWith(
  log: Log,
  topics: Topics,
  { flags, config, roles }: RunSettings,
  stopped: Promise<void>,
): Promise<Agreed> {
  const { model, variantModels: variants = [], seed } = flags;
  const existing = (await log.topics()).get(topics.events)?.partitions;
  const partitions = flags.partitions ??
    (existing === undefined ? await partitionsOf(log, flags) : await tasksOn(log, topics));
  const given: GenerationSetup = { config, model, seed, partitions, variants };
  const planned = flags.rebuild ? await planOnline(log, topics, given) : null;
  const plan = planned !== null && isToBuild(planned, flags) ? planned : null;
  const stopping = new AbortController();
  ignore(stopped.then(() => stopping.abort()), "it does not reject");
  const outputs = roles.includes("task") ? await outputsOf(config, topics, stopping.signal) : undefined;
  const needs = { topics, partitions, variants, surfaceTopics: config.surfaceTopics, ...outputs };
  const serving = async (): Promise<Pick<Agreed, "generation" | "setup">> => {
    if (planned !== null) return { generation: planned.serving, setup: planned.servingSetup };
    if (!roles.includes("task") && !roles.includes("learner")) {
      return { generation: await checkServing(log, topics), setup: given };
    }
    const agreed = await beforeTopics(log, needs, () => agreeOn(log, topics, config, given));
    return { generation: agreed.number, setup: { ...given, config: agreed.config } };
  };
  const agreed = { ...await serving(), plan, outputs };
  if (roles.length > 0) {
    const note = { by: manifest.version, writes: NEWEST_FORMATS, now: Date.now() };
    await beforeTopics(log, needs, () => noteFormats(log, topics, note));
  }
  return agreed;
}

/** Resolves when the service in a place has ended without being replaced. */
async function lastOf(place: Replaceable): Promise<void> {
  for (let service = place.current;; service = place.current) {
    await service.ended;
    if (service === place.current) return;
  }
}
