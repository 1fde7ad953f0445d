/** The HTTP API of a deployment: its endpoints and everything that they use. */

import manifest from "../../deno.json" with { type: "json" };
import type { Condition, RequestEvent } from "../../src/events/event.ts";
import { EntryCheck } from "../../src/mapping/entry_check.ts";
import type { ConfiguredNames } from "../../src/mapping/name_check.ts";
import { settle } from "../../src/options/option.ts";
import { LiveFeed } from "../dashboard/live.ts";
import { Recorder } from "../dashboard/recorder.ts";
import { Snapshots } from "../dashboard/snapshot.ts";
import { Backlog, followedEvents, followedItems } from "../http/backlog.ts";
import type { ApiContext } from "../http/context.ts";
import type { ApiKey } from "../http/contract/access.ts";
import { FairWork } from "../http/contract/fair_work.ts";
import { HTTP_LIMITS } from "../http/contract/limits.ts";
import type { HttpSettings } from "../http/contract/settings.ts";
import { UnlistedItems } from "../http/contract/unlisted_items.ts";
import type { Metrics } from "../http/metrics.ts";
import { Recommender } from "../http/recommender.ts";
import { AttributeCheck } from "../http/routes/attribute_check.ts";
import { isShared } from "../log/capabilities.ts";
import { InTurn } from "../log/in_turn.ts";
import type { Log } from "../log/log.ts";
import type { SourcesSettings } from "../mapping/source_settings.ts";
import { SharedThread } from "../service/jobs/shared_thread.ts";
import type { Service } from "../service/service.ts";
import { servingTopics } from "../topics/serving.ts";
import { apiOf, limitsIn, namesLogged, serveApi, sourcesIn } from "./api.ts";
import { withoutModel } from "./late.ts";
import type { HttpServer, ListenOptions } from "./serve.ts";

/** Options of {@linkcode startHttp}. */
export interface HttpOptions extends ListenOptions {
  /** The log of the deployment; its topics exist. */
  readonly log: Log;
  /** Prefix of the topics. @default {"meander."} */
  readonly prefix?: string;
  /** The service in this process, if any. */
  readonly service?: Service | undefined;
  /** Metrics of this process, which also observe the log. */
  readonly metrics: Metrics;
  /** Settings of the server. @default {{}} */
  readonly settings?: HttpSettings;
  /** Sources of the configuration, whose records callers may send. @default {{}} */
  readonly sources?: SourcesSettings | undefined;
  /** Actions and features of the configuration: others that callers send are logged. @default {none are logged} */
  readonly names?: ConfiguredNames | undefined;
  /** API keys. @default {those of the settings} */
  readonly keys?: readonly ApiKey[];
  /** Further reasons why the process is not ready, for `/ready`. @default {none} */
  readonly checks?: (() => Promise<readonly string[]>) | undefined;
  /** Milliseconds since the epoch. @default {Date.now} */
  readonly now?: () => number;
}

/**
 * Starts the HTTP API of a deployment, with its dashboard at `/`.
 *
 * @returns a server; disposing of it lets requests in progress finish, then stops it
 * @throws Error when it cannot listen there
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { DEFAULT_SCHEMA, MemoryLog, Service, topicNames } from "@meander/meander";
 * import { Metrics, startHttp } from "@meander/meander/http";
 *
 * await using log = new MemoryLog();
 * await using service = await Service.start(log, {
 *   model: "base",
 *   modelConfig: {},
 *   task: { schema: DEFAULT_SCHEMA },
 *   learner: { schema: DEFAULT_SCHEMA },
 * });
 * const place = { hostname: "127.0.0.1", port: 0 };
 * await using server = await startHttp({ log, service, metrics: new Metrics(topicNames()), ...place });
 *
 * const description = await fetch(`${server.url}/openapi.json`);
 * assert.match((await description.json()).openapi, /^3\.1/);
 * ```
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { hostname, port, service, metrics, settings = {}, keys = settings.keys ?? [] } = options;
  let stopping = false;
  await using opening = new AsyncDisposableStack();
  const context = await openContext(options, opening, () => stopping);
  const { topics, now, clock, bodies } = context;
  const recorder = new Recorder({ topics, service, now, clock });
  metrics.tell(recorder);
  const snapshots = new Snapshots(recorder, service, now, clock);
  const live = opening.use(new LiveFeed({ recorder, snapshots, version: manifest.version }));
  const place = { hostname, port, settings, keys, metrics, bodies, clock };
  const server = serveApi(apiOf(context, settings, live), place);
  const opened = opening.move();
  const stop = async (patienceMs?: number) => {
    stopping = true;
    live[Symbol.dispose](); // its streams never end by themselves
    await server.stop(patienceMs);
    await opened.disposeAsync();
  };
  const { url, ended } = server;
  return { url, ended, stop, [Symbol.asyncDispose]: () => stop() };
}

/** Opens what the endpoints use. @param opening disposes of it */
async function openContext(
  { log, prefix, service, metrics, settings = {}, sources, names, now = Date.now, checks }: HttpOptions,
  opening: AsyncDisposableStack,
  isStopping: () => boolean,
): Promise<ApiContext> {
  const topics = service?.deployment.topics ?? await servingTopics(log, prefix);
  const partitions = (await log.topics(topics.events)).get(topics.events)?.partitions ?? 1;
  const clock = () => performance.now();
  const { maxWaiting, answerTimeoutMs: timeoutMs, maxBehindMs = timeoutMs / 4 } = settle(
    HTTP_LIMITS,
    settings,
  );
  const following = () => service?.deployment ?? { log, partitions };
  const tasks = () => [...service?.tasks.values() ?? []];
  const followed = [
    [topics.events, followedEvents(following, topics)],
    [topics.items, followedItems(following, topics, () => tasks().map(({ catalogue }) => catalogue.applied))],
  ] as const;
  const thread = service?.thread ?? new SharedThread(clock);
  const bounds = { maxBehindMs, clock, isStopping };
  const attributes = new AttributeCheck(() => tasks()[0]?.state.catalogue, clock);
  if (service !== undefined) metrics.watch(service);
  const endOfItems = async () => (await following().log.bounds(topics.items, 0)).end;
  const known = {
    get log() {
      return service?.deployment.log ?? log;
    },
    topics,
    itemWrites: new InTurn(),
    get partitions() {
      return service?.deployment.partitions ?? partitions;
    },
    service,
    recommender: opening.use(new Recommender(log, topics, partitions, { timeoutMs, maxWaiting })),
    // On a log that processes share, its brokers bound how far tasks fall behind.
    backlogs: new Map(isShared(log) ? [] : followed.map(([topic, of]) => [topic, new Backlog(of, bounds)])),
    work: new FairWork({ share: (workedMs) => thread.share(workedMs), clock }),
    metrics,
    now,
    clock,
    isStopping,
    checks,
    sources: sourcesIn(sources),
    see: namesLogged(names),
    check: names && new EntryCheck(names),
    unlisted: new UnlistedItems(() => service?.tasks.values().next().value, endOfItems, clock),
    faultOfConditions: (conditions: readonly Condition[]) => attributes.fault(conditions),
    ...limitsIn(settings, clock),
  };
  // Keeps the getters above: a service may replace its log and partitions.
  return Object.assign(known, { withoutModel: (event: RequestEvent) => withoutModel(known, event) });
}
