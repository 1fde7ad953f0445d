/**
 * A process of a deployment: what `scripts/run.ts` sets up, in a simulated world.
 *
 * @module
 */

import type { ModelName } from "../../src/nn/models/registry.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { Log } from "../../streams/log/log.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import type { SqliteLogOptions } from "../../streams/log/sqlite/sqlite_store.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { startHttp } from "../../streams/server/http.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import type { HttpSettings } from "../../streams/http/contract/settings.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { serversHere } from "./servers.ts";
import type { Owner, World } from "./world.ts";
import type { Role, ServiceOptions } from "../../streams/service/jobs/options.ts";

/** Options of a process. */
export interface ProcessOptions {
  /** Its roles. */
  readonly roles: readonly Role[];
  /** Whether it serves HTTP. */
  readonly serves: boolean;
  /** Where the SQLite log is, if not on Kafka. */
  readonly path?: string;
  /** When the machine of that log was started, and what the log survives. */
  readonly sqlite?: SqliteLogOptions;
  /** As `run` derives them from the configuration. */
  readonly service: Omit<ServiceOptions<ModelName>, "roles">;
  /** How its server behaves. */
  readonly settings?: HttpSettings;
}

/** How a process has ended. */
export interface Ended {
  /** Why it ended by itself; absent if it was told to. */
  readonly error?: unknown;
}

/** Like those of `run` on Kafka. */
const OPEN = { brokers: ["broker:9092"], compression: "none" } as const;
const SLICE_MS = 4;

/** One process, from its start to its end. */
export class SimulatedProcess {
  /** The owner of its steps. */
  readonly owner: Owner;
  /** Resolves when it has ended, by itself or as told; never after it was killed. */
  readonly ended: Promise<Ended>;
  /** The running service, once it has started. */
  service: Service | undefined;
  /** Its log, while it is open. */
  log: Log | undefined;
  readonly #world: World;
  readonly #stop = Promise.withResolvers<void>();

  /** Starts a process a moment later. */
  constructor(world: World, name: string, options: ProcessOptions) {
    this.#world = world;
    this.owner = world.owner(name);
    const { promise, resolve } = Promise.withResolvers<Ended>();
    this.ended = promise;
    // Listeners continue in a step of the world, not in one of a process that has ended.
    const end = (how: Ended) => world.schedule(world.self, 0, "ended", () => resolve(how));
    world.schedule(this.owner, 0, "start", () => {
      this.#run(options).then(() => end({}), (error) => end({ error }));
    });
  }

  /** Like SIGTERM. */
  stop(): void {
    this.#world.schedule(this.owner, 0, "stop", () => this.#stop.resolve());
  }

  /** Like SIGKILL. */
  kill(): void {
    this.owner.isAlive = false;
    serversHere().broke(this.owner);
  }

  async #run(
    { roles, serves, path, sqlite = {}, service: options, settings = {} }: ProcessOptions,
  ): Promise<void> {
    const topics = topicNames(options.prefix);
    const metrics = new Metrics(topics);
    const stop = this.#stop.promise;
    const opening: Promise<Log> = path === undefined ? KafkaLog.open(OPEN) : SqliteLog.open(path, sqlite);
    const opened = await Promise.race([opening, stop]);
    if (opened === undefined) return;
    await using log = meteredLog(opened, metrics);
    this.log = opened;
    await using service = await Service.start(log, {
      ...options,
      roles,
      ...(serves ? { sliceMs: SLICE_MS } : {}),
    });
    this.service = service;
    const server = serves
      ? await startHttp({
        log,
        prefix: options.prefix ?? "meander.",
        service,
        metrics,
        settings,
        hostname: "127.0.0.1",
        port: 0,
      })
      : undefined;
    try {
      await Promise.race([stop, service.ended]);
      await server?.stop();
      await service.stop();
      await service.ended;
    } finally {
      this.log = undefined;
      serversHere().broke(this.owner);
    }
  }
}
