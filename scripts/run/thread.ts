/**
 * The thread of `deno task run`: the engine as a service on a log. Stops cleanly on SIGTERM and Ctrl-C.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
import { NEWEST_FORMATS } from "../../streams/generations/formats.ts";
import { noteFormats } from "../../streams/topics/format_notes.ts";
import { readConfig } from "../../streams/config/read.ts";
import { isShared } from "../../streams/log/capabilities.ts";
import type { LogKind } from "../../streams/log/kind.ts";
import { SERVICE_UNLISTED_ITEMS } from "../../src/engine/task_options.ts";
import { dirname } from "node:path";
import { getLogger, type LogLevel } from "@logtape/logtape";
import { NameCheck } from "../../src/mapping/name_check.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { kindOf as modelKindOf } from "../../src/nn/models/registry.ts";
import {
  type Config,
  knownNames,
  learnerOptions,
  learningOptions,
  modelConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import {
  type LearnerThreadOptions,
  ROLES,
  Service,
  type ServiceOptions,
  type ServiceStatus,
} from "../../streams/service/service.ts";
import { diskShortage } from "../../streams/service/disk_room.ts";
import { Retention } from "../../streams/service/erasure/retention.ts";
import { DELIVERY } from "../../streams/topics/delivery.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { configureLogging } from "../../streams/settings/logging.ts";
import { startHttp } from "../../streams/server/http.ts";
import type { HttpOptions } from "../../streams/server/backend.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import type { HttpServer } from "../../streams/server/serve.ts";
import { ServerThread } from "../../streams/server/thread/server_thread.ts";
import { KEY_VARIABLE, keysOf } from "../../streams/http/contract/settings.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { generationTopics, topicNames, type Topics } from "../../streams/topics/topics.ts";
import { exitCodeOf } from "../flags/command_line.ts";
import { followedSources } from "../flags/followed_sources.ts";
import { chosenLog, placeOf } from "../flags/log_flags.ts";
import { logAddressOf, openLog, partitionsOf, refuseNewerRelease, tasksOn } from "../flags/service_flags.ts";
import { dropKept } from "../../streams/generations/drop.ts";
import { Repeated } from "../../streams/service/erasure/background.ts";
import { boundedLog } from "../../streams/generations/rebuild.ts";
import { outputsOf } from "./outputs.ts";
import { ignore } from "../../streams/log/ignore.ts";
import type { Log } from "../../streams/log/log.ts";
import { generationLog } from "../../streams/generations/generation_log.ts";
import { FollowedTopics, Replaceable } from "../../streams/service/replaceable.ts";
import { agreeOn } from "./agreement.ts";
import { type Made, planOnline, runOnline } from "./online.ts";
import {
  type Address,
  addressOf,
  COMMIT_INTERVAL_MS,
  type Flags,
  REBUILD_SHARE,
  SNAPSHOTS,
} from "./flags.ts";
import { type Order, PATIENCE_MS, type Report } from "./start.ts";

const STATUS_MS = 10_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Interval between messages while the log cannot be opened. */
const WAITING_MS = 5000;
/** Slices of a task that shares its thread with a server, which must be able to answer. */
const SLICE_MS = 4;
/** The permissions of this thread. A kind that is not named would be denied. */
const INHERITED: Deno.PermissionOptionsObject = {
  env: "inherit",
  ffi: "inherit",
  net: "inherit",
  read: "inherit",
  run: "inherit",
  sys: "inherit",
  write: "inherit",
};
/** Permissions of a learner that opens a shared log itself: it writes no files. */
const LEARNER_PERMISSIONS: Deno.PermissionOptions = { ...INHERITED, write: false };
/** Permissions of the server with the log: it needs no variables. */
const SERVER_PERMISSIONS: Deno.PermissionOptions = { ...INHERITED, env: false };

const logger = getLogger(["meander", "run"]);

/** The scope of this thread, as far as it is used. */
interface ThreadScope {
  onmessage: (event: MessageEvent<Order<Flags>>) => void;
  postMessage(report: Report): void;
}

const scope = self as unknown as ThreadScope;
/** Resolves when the service is to stop. */
const stop = Promise.withResolvers<void>();
/** What is still to be done before it has stopped. */
let unfinished = (): readonly string[] => ["opening the log"];

scope.onmessage = async ({ data: order }) => {
  if ("stop" in order) stopOn(order.stop);
  else scope.postMessage(await exitCodeOf(() => serve(order.flags)));
};
scope.postMessage("ready");

function stopOn(signal: Deno.Signal): void {
  logger.info("stops on {signal}", { signal });
  stop.resolve();
  setTimeout(() => {
    logger.warn(
      "ends after {ms} ms without waiting for {what}: what is not committed the next owner does again",
      {
        ms: PATIENCE_MS,
        what: unfinished().join(", "),
      },
    );
    scope.postMessage(0);
  }, PATIENCE_MS);
}

async function serve(flags: Flags): Promise<number> {
  await configureLogging(levelOf(flags));
  const { roles = ROLES } = flags;
  const http = addressOf(flags);
  const config = await readConfig(flags.config);
  const { kind } = chosenLog(flags, config);
  if (flags.rebuild && (flags.serverThread || !roles.includes("task") || !roles.includes("learner"))) {
    throw new Error(
      "Cannot rebuild in this process: it needs the roles task and learner, and no --server-thread",
    );
  }
  if (flags.serverThread && (http === undefined || kind.capabilities.isShared)) {
    throw new Error(
      "Cannot give the server a thread: it takes HTTP and a SQLite log; leave --server-thread out, or add --http",
    );
  }
  for (const model of new Set([flags.model, ...flags.variantModels ?? []])) {
    const remarks = modelKindOf(model).remarks?.(modelConfig(model, config)) ?? [];
    for (const remark of remarks) logger.warn("{remark}", { remark });
  }
  logger.info("opens the log {place}", { place: placeOf(flags, config) });
  const waiting = setInterval(() => logger.warn("waits for the log"), WAITING_MS);
  const topics = topicNames(flags.prefix);
  const thread = flags.serverThread
    ? await ServerThread.open({
      address: await logAddressOf(flags, { config }),
      topics,
      permissions: SERVER_PERMISSIONS,
      level: levelOf(flags),
    }).finally(() => clearInterval(waiting))
    : undefined;
  const opened = thread?.log ??
    await Promise.race([openLog(flags, { membersFolder: flags.members, config }), stop.promise])
      .finally(() => clearInterval(waiting));
  if (opened === undefined) return 0;
  if (thread !== undefined) await refuseNewerRelease(opened, flags.prefix);
  const generation = await servingGeneration(opened, topics);
  const followed = new FollowedTopics(generationTopics(topics, generation));
  const metrics = new Metrics(followed.topics);
  await using log = meteredLog(opened, metrics);
  const existing = (await log.topics()).get(topics.events)?.partitions;
  const partitions = flags.partitions ??
    (existing === undefined ? await partitionsOf(log, flags) : await tasksOn(log, topics));
  const { model, variantModels: variants = [], seed } = flags;
  const isMaker = roles.includes("task") || roles.includes("learner");
  const plan = flags.rebuild
    ? await planOnline(log, topics, { config, model, seed }, { partitions, variants })
    : null;
  const made = plan?.makes ?? {
    ...{ model, seed },
    config: isMaker ? await agreeOn(log, topics, config, { model, variants, partitions, seed }) : config,
  };
  if (roles.some((role) => role !== "http")) {
    await noteFormats(log, topics, { by: manifest.version, writes: NEWEST_FORMATS, now: Date.now() });
  }
  const names = new NameCheck(knownNames(config));
  const delivery = flags.delivery ?? config.delivery ?? DELIVERY.value;
  const commitIntervalMs = flags.commitInterval ?? COMMIT_INTERVAL_MS[delivery];
  const sources = followedSources(flags, config, (record) => {
    for (const told of names.see(record)) logger.warn("{told}", { told });
  });
  const stopping = new AbortController();
  ignore(stop.promise.then(() => stopping.abort()), "it does not reject");
  const encodeLists = roles.includes("task") ? await outputsOf(config, stopping.signal) : undefined;
  if (thread !== undefined && existing !== undefined && existing !== partitions) {
    throw new Error("Cannot have tasks share partitions beside --server-thread: leave it out");
  }
  const ends: number[] = plan === null ? [] : new Array(plan.servesTasks).fill(Infinity);
  const bounded = (log: Log) => plan === null ? log : boundedLog(log, topics.events, ends);
  const begin = async (
    as: Made,
    over: Pick<ServiceOptions, "generation" | "warm" | "beside">,
    seen: (log: Log) => Log = (log) => log,
  ) =>
    await Service.start(seen(await generationLog(log, topics, over.generation ?? 1)), {
      roles: roles.filter((role) => role !== "http"),
      ...madeOptions(as, flags),
      learnerThread: learnerThreadOf(flags, kind, metrics),
      partitions: as === plan?.serves ? plan.servesTasks : partitions,
      prefix: flags.prefix,
      rekeyFrom: flags.rekeyFrom,
      sources,
      commitIntervalMs,
      answerIntervalMs: Math.min(commitIntervalMs, kind.answerIntervalMs),
      sliceMs: http && SLICE_MS,
      delivery,
      ...{ surfaceTopics: config.surfaceTopics, encodeLists },
      serveVersion: flags.serveVersion,
      stateBytes: flags.memory && flags.memory / 2,
      snapshots: snapshotsOf(flags, kind),
      ...over,
    });
  let beside = plan && generationTopics(topics, plan.generation.number);
  const first = await begin(plan?.serves ?? made, { generation, beside: () => beside }, bounded);
  const place = new Replaceable(first, followed);
  const { service } = place;
  await using _service = { [Symbol.asyncDispose]: () => place.current.stop() };
  unfinished = () => service.unfinished;
  await using kept = new AsyncDisposableStack();
  const dropOld = (as: Config) => void kept.use(retentionOf(place.current, as));
  const dropReplaced = () => void kept.use(droppingOf(log, topics, flags));
  if (plan === null) {
    dropOld(config);
    dropReplaced();
  }
  const server = http &&
    await listen(http, {
      log,
      prefix: flags.prefix,
      service,
      metrics,
      settings: config.http ?? {},
      sources: config.sources,
      checks: () => diskShortage(diskOf(flags, config)),
    }, thread);
  const switching = new AbortController();
  const building = plan === null ? undefined : runOnline(plan, {
    log,
    topics,
    memory: flags.memory,
    share: flags.rebuildShare ?? REBUILD_SHARE,
    permissions: kind.capabilities.isShared ? LEARNER_PERMISSIONS : "none",
    anyway: flags.anyway === true,
    delivery,
    surfaceTopics: config.surfaceTopics,
    encodeLists,
    snapshots: snapshotsOf(flags, kind),
    place,
    ends,
    signal: switching.signal,
    // Until the switch is over, nothing is erased from what the other one serves.
    start: (warm) => begin(made, { generation: plan.generation.number, warm, beside: () => beside }),
  }).then((isSwitched) => {
    beside = null;
    dropOld(isSwitched ? config : plan.serves.config);
    if (isSwitched) dropReplaced();
  });
  const failed = building?.then(() => stop.promise, (error) => {
    if (switching.signal.aborted) return stop.promise;
    if (place.isReleased) throw error;
    beside = null;
    dropOld(plan?.serves.config ?? config);
    logger.error("cannot build beside what serves, which goes on: {reason}", {
      reason: (error as Error).message,
    });
    return stop.promise;
  });
  const meter = new Meter();
  let asking = false;
  const timer = setInterval(async () => {
    if (asking) return; // the log does not answer, which its users report
    asking = true;
    await service.status().then(
      (status) => meter.report(status),
      (error) => logger.debug("cannot ask for the status: {error}", { error }),
    );
    asking = false;
  }, STATUS_MS);
  try {
    await Promise.race([stop.promise, lastOf(place), thread?.ended ?? stop.promise, failed ?? stop.promise]);
    switching.abort();
    await ignore(building ?? stop.promise, "it goes on where it was at the next start");
    await server?.stop(); // first: what it has begun still needs the tasks
    await place.current.stop();
    await place.current.ended;
  } finally {
    clearInterval(timer);
  }
  logger.info("has stopped");
  return 0;
}

/** Resolves when the service in a place has ended, and was not replaced. */
async function lastOf(place: Replaceable): Promise<void> {
  for (let service = place.current;; service = place.current) {
    await service.ended;
    if (service === place.current) return;
  }
}

/** What a service is made as. */
function madeOptions({ config, model, seed }: Made, { memory, variantModels = [] }: Flags) {
  const task = {
    ...taskOptions({ schema: DEFAULT_SCHEMA, maxUnlistedItems: SERVICE_UNLISTED_ITEMS }, config, model),
    seed,
    nowMicros: () => Math.round(performance.now() * 1000),
  };
  // Half of the memory for user states; a quarter each for the learner's tables and the scorer's copy of them.
  const tableBytes = memory && Math.floor(memory / 4);
  return {
    model,
    modelConfig: modelConfig(model, config),
    task,
    variants: variantModels.map((name) => ({ model: name, modelConfig: modelConfig(name, config) })),
    learner: { tableBytes, ...learnerOptions(task, config, seed) },
    learning: learningOptions(config),
  };
}

/** Drops generations that have been replaced for long enough. */
function droppingOf(log: Log, topics: Topics, { keep }: Flags): Repeated | undefined {
  if (keep === undefined) return undefined;
  const repeated = new Repeated();
  const work = async () => {
    for (const number of await dropKept(log, topics, keep * DAY_MS, Date.now())) {
      logger.info("generation {number} is dropped: another one has served for {keep} days", { number, keep });
    }
  };
  repeated.start(work, HOUR_MS, "drop generations", logger);
  return repeated;
}

/** Drops old records where no broker does. */
function retentionOf({ deployment }: Service, config: Config): Retention | undefined {
  const { retention: settings = {}, outcomeWindowMs } = config;
  if (isShared(deployment.log)) {
    if (config.retention !== undefined) {
      logger.warn("retention is not for Kafka: set retention.ms of its topics, with kafka.topicConfig");
    }
    return undefined;
  }
  return new Retention(deployment, {
    settings,
    outcomeWindowMs,
    now: Date.now,
    clock: () => performance.now(),
  }).start();
}

/** Starts the HTTP API, and logs who may use it. */
async function listen(
  address: Address,
  options: Omit<HttpOptions, keyof Address>,
  thread: ServerThread | undefined,
): Promise<HttpServer> {
  const keys = keysOf(options.settings ?? {}, Deno.env.get(KEY_VARIABLE));
  const all = { ...options, ...address, keys };
  const server = thread === undefined ? await startHttp(all) : await thread.listen(all);
  logger.info("HTTP at {url}, {keys}", {
    url: server.url,
    keys: keys.length === 0 ? "no key needed" : `keys ${keys.map(({ name }) => name).join(", ")}`,
  });
  if (keys.length === 0 && !/^(127\.|localhost$|::1$)/.test(address.hostname)) {
    logger.warn("anybody who reaches {url} may read and write: set keys, or {variable}", {
      url: server.url,
      variable: KEY_VARIABLE,
    });
  }
  return server;
}

/** Logs the status of a service, with the speed since the last report. */
class Meter {
  #time = performance.now();
  #events = 0;

  report({ events, partitions, version, learner }: ServiceStatus): void {
    const now = performance.now();
    const speed = (events - this.#events) / (now - this.#time) * 1000;
    [this.#time, this.#events] = [now, events];
    const figure = (value: number | null | undefined) => value?.toFixed(4) ?? "-";
    logger.info(
      "{speed} events/s, partitions {partitions}, lag {lag}, version {version}, AUC {auc}, CTR {ctr}, " +
        "samples waiting {samples}",
      {
        speed: Math.round(speed),
        partitions: partitions.map((one) => `${one.partition}${one.restoring ? "?" : ""}`).join(",") || "-",
        lag: partitions.reduce((sum, one) => sum + one.lag, 0),
        version: Math.max(version, learner?.version ?? 0),
        auc: figure(learner?.auc),
        ctr: figure(learner?.ctr),
        samples: learner?.lag ?? "-",
      },
    );
  }
}

/** The level of messages. */
function levelOf({ verbose, quiet }: Flags): LogLevel {
  if (verbose && quiet) throw new Error("Cannot be verbose and quiet at once: leave one of the two out");
  return verbose ? "debug" : quiet ? "warning" : "info";
}

/** A thread for the learner, if it shares the process with other roles. */
function learnerThreadOf(
  { roles = [...ROLES], learnerThread }: Flags,
  { capabilities }: LogKind,
  metrics: Metrics,
): false | LearnerThreadOptions {
  if (!learnerThread || !roles.includes("learner") || roles.length === 1) return false;
  return {
    permissions: capabilities.isShared ? LEARNER_PERMISSIONS : "none",
    committed: (commit) => metrics.committedInThread(commit),
  };
}

/** The folder that the process writes to: that of its log or of its snapshots. */
function diskOf(flags: Flags, config: Config): string {
  const { kind, settings } = chosenLog(flags, config);
  const file = kind.fileOf(settings);
  if (file !== null) return dirname(file);
  return typeof flags.snapshots === "string" ? flags.snapshots : SNAPSHOTS;
}

/** Local snapshots. A log that indexes its keys needs none. */
function snapshotsOf(
  { snapshots, snapshotInterval }: Flags,
  { capabilities: { indexesKeys } }: LogKind,
): ServiceOptions["snapshots"] {
  if (indexesKeys && typeof snapshots === "string") {
    throw new Error(
      "Cannot keep snapshots beside a SQLite log: it is restored from its own file; leave --snapshots out",
    );
  }
  if (indexesKeys || snapshots === false) return undefined;
  return { folder: snapshots ?? SNAPSHOTS, intervalMs: snapshotInterval * 1000 };
}
