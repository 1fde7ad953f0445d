/** A build of a generation in a thread of its own, while the service keeps answering. */

import { ignore } from "../../log/ignore.ts";
import type { Log } from "../../log/log.ts";
import { LogThread } from "../../log/threads/log_thread.ts";
import { LATE_MS } from "../../service/readiness.ts";
import { buildFolder } from "./build_snapshots.ts";
import type { BuildFigures, BuildOrder, BuildSpec, BuildWork, WorkReport } from "./build_messages.ts";
import type { ApartBuild, LegOptions } from "./legs.ts";

/** How the thread runs. */
export interface ThreadedBuildOptions {
  /** Share of a processor that it takes, in (0, 1]. */
  readonly share: number;
  /** Deno permissions of the thread. @default {those of the process} */
  readonly permissions?: Deno.PermissionOptions | undefined;
  /** Called at intervals with its progress. */
  readonly onProgress: (figures: BuildFigures) => void;
}

/** The service alongside which it builds. */
export interface BuildNeighbour {
  /** How long requests wait for their answers, milliseconds. */
  readonly waitedMs: number;
}

const PATIENCE_MS = 5000;
const LOOK_MS = 20;

/**
 * Builds in a thread. Nothing else may run the generation until its last leg is built, or it is disposed. Until then,
 * its local snapshots are apart from those of the service.
 */
export class ThreadedBuild implements ApartBuild {
  readonly #thread: LogThread<BuildOrder, WorkReport>;
  readonly #onProgress: ThreadedBuildOptions["onProgress"];
  readonly #watch: ReturnType<typeof setInterval>;
  /** Folders of the snapshots of the service, and of its own. */
  readonly #snapshots: { readonly service: string; readonly own: string } | undefined;
  #haste = 1;
  #isBuilt = false;
  #done = Promise.withResolvers<void>();
  /** How long the work that was done last has rested, milliseconds. */
  #restedMs = 0;

  /** Starts the thread, which builds nothing yet. @param neighbour the build rests while it is late */
  constructor(
    log: Log,
    given: BuildSpec,
    neighbour: () => BuildNeighbour,
    { share, permissions, onProgress }: ThreadedBuildOptions,
  ) {
    this.#onProgress = onProgress;
    const { snapshots } = given;
    const service = snapshots?.folder;
    if (service !== undefined) this.#snapshots = { service, own: buildFolder(service) };
    const spec = {
      ...given,
      ...(this.#snapshots && { snapshots: { ...snapshots, folder: this.#snapshots.own } }),
    };
    const late = new Int32Array(new SharedArrayBuffer(4));
    const look = () =>
      Atomics.store(late, 0, neighbour().waitedMs > LATE_MS * Math.min(this.#haste, 2) ? 1 : 0);
    this.#watch = setInterval(look, LOOK_MS);
    this.#thread = new LogThread<BuildOrder, WorkReport>(log, {
      module: new URL("./build_thread.ts", import.meta.url),
      permissions,
      name: "build of a generation",
      start: (place) => ({ start: spec, share, late, log: place }),
      last: { end: true },
      patienceMs: PATIENCE_MS,
      onReport: (report) => this.#hear(report),
    });
  }

  async build(until: readonly number[], { signal, ...how }: LegOptions): Promise<number> {
    this.#haste = how.haste;
    await this.#do({ until, ...how }, signal);
    this.#isBuilt = how.isLast;
    return this.#restedMs;
  }

  async copySnapshots(): Promise<void> {
    if (this.#snapshots !== undefined) await this.#do({ copyTo: this.#snapshots.service });
  }

  async #do(work: BuildWork, signal?: AbortSignal): Promise<void> {
    this.#done = Promise.withResolvers();
    this.#thread.order(work);
    await this.#thread.wait(this.#done.promise, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#thread[Symbol.asyncDispose]();
    } finally {
      clearInterval(this.#watch);
    }
    if (!this.#isBuilt || this.#snapshots === undefined) return;
    await ignore(
      Deno.remove(this.#snapshots.own, { recursive: true }),
      "on a log with an index there are none",
    );
  }

  #hear(report: WorkReport): void {
    if ("progress" in report) this.#onProgress(report.progress);
    else {
      this.#restedMs = report.restedMs;
      this.#done.resolve();
    }
  }
}
