/**
 * The HTTP API of a deployment, put together: application, door, answers, server.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
import { LiveFeed } from "../dashboard/live.ts";
import { Recorder } from "../dashboard/recorder.ts";
import { Snapshots } from "../dashboard/snapshot.ts";
import type { Log } from "../log/log.ts";
import type { Service } from "../service.ts";
import { topicNames } from "../topics.ts";
import { Access, type ApiKey } from "./access.ts";
import { Answers } from "./answers.ts";
import { apiOf, limitsIn } from "./api.ts";
import { createApp } from "./app.ts";
import type { ApiContext } from "./endpoints.ts";
import { withoutModel } from "./late.ts";
import type { Metrics } from "./metrics.ts";
import { type HttpServer, type ListenOptions, serve } from "./serve.ts";
import type { HttpSettings } from "./settings.ts";
import type { ServerThread } from "./thread/server_thread.ts";

/** Options of {@linkcode startHttp}. */
export interface HttpOptions extends ListenOptions {
  /** The log of the deployment; its topics exist. */
  readonly log: Log;
  /** Prefix of the topics. @default {"meander."} */
  readonly prefix?: string;
  /** The service in this process, if there is one. */
  readonly service?: Service | undefined;
  /** Measures, which also observe the log. */
  readonly metrics: Metrics;
  /** How it behaves. @default {{}} */
  readonly settings?: HttpSettings;
  /** Who is let in. @default {those of the settings} */
  readonly keys?: readonly ApiKey[];
  /** Milliseconds since the epoch; a thread has its own. @default {Date.now} */
  readonly now?: () => number;
  /** The thread that has the log, to have the sockets as well. @default {none: this one} */
  readonly thread?: ServerThread | undefined;
}

/** Starts the API. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { log, prefix, service, metrics, settings = {}, now = Date.now, thread } = options;
  const { keys = settings.keys ?? [] } = options;
  const topics = topicNames(prefix);
  const partitions = (await log.topics()).get(topics.events)?.partitions ?? 1;
  const clock = () => performance.now();
  const limits = limitsIn(settings);
  const answers = new Answers(log, topics, partitions, {
    timeoutMs: limits.answerTimeoutMs,
    maxWaiting: settings.maxWaiting,
  });
  let stopping = false;
  const known = {
    ...{ log, topics, partitions, service, answers, metrics, now, clock, ...limits },
    isStopping: () => stopping,
  };
  const context: ApiContext = { ...known, withoutModel: (event) => withoutModel(known, event) };
  if (service !== undefined) metrics.watch(service);
  const recorder = new Recorder({ topics, service, now, clock });
  metrics.tell(recorder);
  const snapshots = new Snapshots(recorder, service, now, clock);
  const live = new LiveFeed({ recorder, snapshots, version: manifest.version });
  const endpoints = apiOf(context, settings, live);
  const { hostname, port } = options;
  const server = thread === undefined
    ? serve(
      createApp({
        endpoints,
        access: new Access({ keys, rateLimit: settings.rateLimit, now: clock }),
        metrics,
        cors: settings.cors ?? [],
        clock,
      }),
      { hostname, port },
    )
    : await thread.listen({ hostname, port, partitions, settings, keys }, {
      endpoints,
      withoutModel: context.withoutModel,
      listener: recorder,
    });
  if (thread !== undefined) metrics.join(() => thread.measures());
  const stop = async (patienceMs?: number) => {
    stopping = true;
    live[Symbol.dispose](); // or its streams would never end
    await server.stop(patienceMs);
    await answers[Symbol.asyncDispose]();
  };
  return {
    url: server.url,
    ended: server.ended,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}
