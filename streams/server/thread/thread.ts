/**
 * The thread of a server: a module worker, started by `server_thread.ts`. It owns the log and the sockets, so events are
 * appended and recommendations sent while a task is busy.
 *
 * @module
 */

import { type Log, LogError } from "../../log/log.ts";
import { type Acts, PortAnswerer, PortCaller } from "../../log/threads/port_calls.ts";
import { serveLog } from "../../log/threads/serve_log.ts";
import { openAt } from "../../log/kinds/kinds.ts";
import { configureLogging } from "../../settings/logging.ts";
import { meteredLog } from "../../log/metered_log.ts";
import { servingGeneration } from "../../topics/serving.ts";
import { generationTopics, type Topics } from "../../topics/topics.ts";
import { apiOf, limitsIn, namesLogged, serveApi, sourcesIn } from "../api.ts";
import type { ApiContext } from "../../http/context.ts";
import type { Endpoint } from "../../http/endpoint.ts";
import type { LogHealth } from "../../http/log_health.ts";
import { Metrics } from "../../http/metrics.ts";
import { Problem } from "../../http/contract/problem.ts";
import type { HttpServer } from "../serve.ts";
import { openQueues, type Queues } from "../queues.ts";
import { answered, answerOf, forwarded } from "./forward.ts";
import type { ListenOrder, ProcessCalls, ServerStart, ThreadCalls } from "./messages.ts";
import { NewsBox } from "./news_box.ts";

/** The worker's global scope. */
interface ThreadScope {
  onmessage: (event: MessageEvent<ServerStart>) => void;
}

const scope = self as unknown as ThreadScope; // the library types `self` as a window's

scope.onmessage = async ({ data: { orders, calls, level } }) => {
  await configureLogging(level);
  const process = new PortCaller<ProcessCalls>(calls, () => new Problem("unavailable", "The server stopped"));
  const thread = new Thread(process);
  new PortAnswerer(orders, thread.acts());
};

interface OpenedLog {
  readonly log: Log;
  readonly topics: Topics;
  /** Measures what goes through `metered`. */
  readonly metrics: Metrics;
  readonly metered: Log;
}

function openedLog(log: Log, topics: Topics): OpenedLog {
  const metrics = new Metrics(topics);
  return { log, topics, metrics, metered: meteredLog(log, metrics) };
}

/** `/ready` of this thread: only it knows whether the log can be written. */
function unready({ id }: Endpoint, { reason }: LogHealth): Response | undefined {
  if (id !== "ready" || reason === undefined) return undefined;
  return Response.json({ ready: false, reasons: [reason] }, { status: 503 });
}

class Thread {
  readonly #process: PortCaller<ProcessCalls>;
  /** Connections to the log, by id. */
  readonly #served = new Map<number, AsyncDisposable>();
  #opened: OpenedLog | undefined;
  #server: HttpServer | undefined;
  #queues: Queues | undefined;

  constructor(process: PortCaller<ProcessCalls>) {
    this.#process = process;
  }

  /** The handlers of calls. */
  acts(): Acts<ThreadCalls> {
    return {
      open: async ([address, topics]) => {
        const log = await openAt(address);
        const generation = await servingGeneration(log, topics);
        this.#opened = openedLog(log, generationTopics(topics, generation));
        return { result: undefined };
      },
      connect: ([id, port, isMetered]) => {
        const { log, metered } = this.#open();
        this.#served.set(id, serveLog(isMetered ? metered : log, port));
        return { result: undefined };
      },
      disconnect: async ([id]) => {
        const served = this.#served.get(id);
        await served?.[Symbol.asyncDispose]();
        this.#served.delete(id);
        return { result: undefined };
      },
      listen: ([order]) => ({ result: this.#listen(order) }),
      ask: (args) => answered(async () => ({ result: await this.#asked().recommender.ask(...args) })),
      room: () => answered(async () => ({ result: await this.#queues?.backlog?.room() })),
      measures: async () => ({ result: await this.#open().metrics.measures() }),
      stop: async ([patienceMs]) => ({ result: await this.#server?.stop(patienceMs) }),
      close: async () => {
        await Promise.all([...this.#served.values()].map((served) => served[Symbol.asyncDispose]()));
        return { result: await this.#opened?.log[Symbol.asyncDispose]() };
      },
    };
  }

  #asked(): Queues {
    if (this.#queues === undefined) throw new Error("Cannot ask for a list: no server is listening yet");
    return this.#queues;
  }

  #open(): OpenedLog {
    if (this.#opened === undefined) throw new LogError("closed", "Cannot use the log: it was not opened");
    return this.#opened;
  }

  /** Serves HTTP. @returns its URL */
  #listen({ hostname, port, partitions, settings, sources, names, keys }: ListenOrder): string {
    const { topics, metrics, metered: log } = this.#open();
    const news = new NewsBox((news) => this.#process.call("told", [news]));
    metrics.tell(news);
    const clock = () => performance.now();
    const limits = limitsIn(settings, clock);
    let stopping = false;
    const isStopping = () => stopping;
    const queues = this.#queues = openQueues(log, { topics, partitions, clock, isStopping }, settings);
    const { recommender, backlog } = queues;
    const context: ApiContext = {
      log,
      topics,
      partitions,
      service: undefined,
      recommender,
      backlog,
      metrics,
      now: Date.now,
      clock,
      ...limits,
      isStopping,
      sources: sourcesIn(sources),
      see: namesLogged(names),
      unknownAttribute: (names) => this.#process.call("unknownAttribute", [names]),
      withoutModel: (event) => answerOf(this.#process.call("withoutModel", [event])),
    };
    const live = { open: () => Promise.reject(new Error("The dashboard runs in another thread")) };
    const endpoints = apiOf(context, settings, live).map((endpoint) =>
      endpoint.local
        ? endpoint
        : forwarded(endpoint, this.#process, limits.bodies, () => unready(endpoint, limits.health))
    );
    const server = serveApi(endpoints, {
      hostname,
      port,
      settings,
      keys,
      metrics,
      clock,
      ...limits,
    });
    this.#server = {
      ...server,
      stop: async (patienceMs) => {
        stopping = true;
        await server.stop(patienceMs);
        await queues[Symbol.asyncDispose]();
        await news.close();
      },
    };
    return server.url;
  }
}
