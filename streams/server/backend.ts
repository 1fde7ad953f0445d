/**
 * The back end of an HTTP server: the endpoints of a deployment and everything that they use.
 *
 * @module
 */

import type { ApiKey } from "../http/contract/access.ts";
import type { RequestEvent } from "../../src/events/event.ts";
import type { ConfiguredNames } from "../../src/mapping/name_check.ts";
import type { Log } from "../log/log.ts";
import type { Service } from "../service/service.ts";
import type { Metrics } from "../http/metrics.ts";
import { AttributeCheck } from "../http/routes/attribute_check.ts";
import type { SourcesSettings } from "../mapping/source_settings.ts";
import type { HttpSettings } from "../http/contract/settings.ts";
import manifest from "../../deno.json" with { type: "json" };
import { LiveFeed } from "../dashboard/live.ts";
import { Recorder } from "../dashboard/recorder.ts";
import { Snapshots } from "../dashboard/snapshot.ts";
import { servingTopics } from "../topics/serving.ts";
import { apiOf, limitsIn, namesLogged, sourcesIn } from "./api.ts";
import type { Endpoint } from "../http/endpoint.ts";
import type { ApiContext } from "../http/context.ts";
import { withoutModel } from "./late.ts";
import type { HttpServer, ListenOptions } from "./serve.ts";
import { openQueues, type Queues } from "./queues.ts";

/** Options of `startHttp()`. */
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

/** The back end of a server. */
export interface Backend {
  readonly endpoints: readonly Endpoint[];
  readonly context: ApiContext;
  /** Records what the dashboard shows. */
  readonly recorder: Recorder;
  /** Starts a server on this back end, which is disposed after the last response. */
  serve(start: () => Promise<HttpServer> | HttpServer): Promise<HttpServer>;
}

/**
 * Opens the back end of a deployment.
 *
 * @param elsewhere the queues of requests, if they are in another thread
 */
export async function openBackend(
  options: Omit<HttpOptions, "hostname" | "port" | "keys">,
  elsewhere?: Queues,
): Promise<Backend> {
  const { log, prefix, service, metrics, settings = {}, sources, names, now = Date.now, checks } = options;
  const topics = service?.deployment.topics ?? await servingTopics(log, prefix);
  const partitions = (await log.topics()).get(topics.events)?.partitions ?? 1;
  const clock = () => performance.now();
  let stopping = false;
  const isStopping = () => stopping;
  const following = () => service?.deployment ?? { log, partitions };
  const queues = elsewhere ?? openQueues(log, { topics, partitions, clock, isStopping, following }, settings);
  const { recommender, backlog } = queues;
  const attributes = new AttributeCheck(() => [...service?.tasks.values() ?? []][0]?.state.catalogue, clock);
  const known = {
    get log() {
      return service?.deployment.log ?? log;
    },
    topics,
    get partitions() {
      return service?.deployment.partitions ?? partitions;
    },
    service,
    recommender,
    backlog,
    metrics,
    now,
    clock,
    isStopping,
    checks,
    sources: sourcesIn(sources),
    see: namesLogged(names),
    unknownAttribute: (names: readonly string[]) => Promise.resolve(attributes.unknown(names)),
    ...limitsIn(settings, clock),
  };
  // Keeps the getters above: a service may replace its log and partitions.
  const context: ApiContext = Object.assign(known, {
    withoutModel: (event: RequestEvent) => withoutModel(known, event),
  });
  if (service !== undefined) metrics.watch(service);
  const recorder = new Recorder({ topics, service, now, clock });
  metrics.tell(recorder);
  const snapshots = new Snapshots(recorder, service, now, clock);
  const live = new LiveFeed({ recorder, snapshots, version: manifest.version });
  return {
    endpoints: apiOf(context, settings, live),
    context,
    recorder,
    async serve(start) {
      const close = async () => {
        live[Symbol.dispose]();
        await queues[Symbol.asyncDispose]();
      };
      const server = await Promise.try(start).catch(async (error) => {
        await close();
        throw error;
      });
      const stop = async (patienceMs?: number) => {
        stopping = true;
        live[Symbol.dispose](); // its streams never end by themselves
        await server.stop(patienceMs);
        await close();
      };
      const { url, ended } = server;
      return { url, ended, stop, [Symbol.asyncDispose]: () => stop() };
    },
  };
}
