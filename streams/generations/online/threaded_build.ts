/**
 * A build of a generation in a thread of its own, while the service keeps answering.
 *
 * @module
 */

import { isShared } from "../../log/capabilities.ts";
import { ignore } from "../../log/ignore.ts";
import type { Log, LogConnection } from "../../log/log.ts";
import { orAborted } from "../../log/pause.ts";
import { unpackError } from "../../log/threads/port_calls.ts";
import { connectLog } from "../../log/threads/serve_log.ts";
import { unreadable } from "../../log/unreadable.ts";
import { LATE_MS } from "../../service/readiness.ts";
import { buildFolder } from "./build_snapshots.ts";
import type { BuildFigures, BuildOrder, BuildReport, BuildSpec, BuildWork } from "./build_messages.ts";
import type { ApartBuild, LegOptions } from "./legs.ts";

/** How the thread runs. */
export interface ThreadedBuildOptions {
  /** Share of a processor that it takes, in (0, 1]. */
  readonly share: number;
  /** Deno permissions of the thread. @default {those of the process} */
  readonly permissions?: Deno.PermissionOptions | undefined;
  /** Told now and then how far it is. */
  readonly onProgress: (figures: BuildFigures) => void;
}

/** The service beside which it builds. */
export interface BuildNeighbour {
  /** How long requests wait for their answers, milliseconds. */
  readonly waitedMs: number;
}

/** How long the thread may take to end before it is terminated, which loses no more than a crash. */
const PATIENCE_MS = 5000;
const LOOK_MS = 20;

/**
 * Builds in a thread. Nothing else may run the generation until its last leg is built, or it is disposed. It has local
 * snapshots of its own beside those of the service, until then.
 */
export class ThreadedBuild implements ApartBuild {
  readonly #thread: Worker;
  readonly #connection: LogConnection | undefined;
  readonly #onProgress: ThreadedBuildOptions["onProgress"];
  readonly #ended = Promise.withResolvers<void>();
  readonly #watch: ReturnType<typeof setInterval>;
  /** Folders of the snapshots of the service, and of its own. */
  readonly #snapshots: { readonly service: string; readonly own: string } | undefined;
  #haste = 1;
  #isOver = false;
  #isBuilt = false;
  #done = Promise.withResolvers<void>();

  /** Begins, and builds nothing yet. @param neighbour rests while it is late */
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
    ignore(this.#ended.promise, "the next leg throws it");
    this.#thread = new Worker(new URL("./build_thread.ts", import.meta.url), {
      type: "module",
      name: "build of a generation",
      ...(permissions === undefined ? {} : { deno: { permissions } }),
    });
    this.#thread.onmessage = ({ data }: MessageEvent<BuildReport>) => this.#hear(data);
    this.#thread.onerror = (event) => {
      event.preventDefault();
      this.#end(new Error(`The thread that builds a generation died: ${event.message}`));
    };
    if (isShared(log)) this.#order({ start: spec, share, late, log: { address: log.address } });
    else {
      const connection = this.#connection = connectLog(log);
      connection.lost?.catch((error) => this.#end(error)); // a port does not report that its other end is gone
      this.#order({ start: spec, share, late, log: connection.channel }, [connection.channel.port]);
    }
  }

  async build(until: readonly number[], { signal, ...how }: LegOptions): Promise<void> {
    this.#haste = how.haste;
    await this.#do({ until, ...how }, signal);
    this.#isBuilt = how.isLast;
  }

  async copySnapshots(): Promise<void> {
    if (this.#snapshots !== undefined) await this.#do({ copyTo: this.#snapshots.service });
  }

  async #do(work: BuildWork, signal?: AbortSignal): Promise<void> {
    this.#done = Promise.withResolvers();
    this.#order(work);
    await orAborted(Promise.race([this.#done.promise, this.#ended.promise]), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) {
      this.#order({ end: true });
      const patience = setTimeout(() => this.#end(), PATIENCE_MS);
      await ignore(this.#ended.promise, "it is disposed");
      clearTimeout(patience);
    }
    clearInterval(this.#watch);
    this.#thread.terminate();
    await this.#connection?.[Symbol.asyncDispose]();
    if (!this.#isBuilt || this.#snapshots === undefined) return;
    await ignore(
      Deno.remove(this.#snapshots.own, { recursive: true }),
      "on a log with an index there are none",
    );
  }

  #order(order: BuildOrder, transfer: Transferable[] = []): void {
    this.#thread.postMessage(order, transfer);
  }

  #hear(report: BuildReport): void {
    if ("progress" in report) this.#onProgress(report.progress);
    else if ("done" in report) this.#done.resolve();
    else if ("unreadable" in report) {
      const { place, reason, effect } = report.unreadable;
      unreadable.leaveOut(place, reason, effect);
    } else this.#end(report.ended === null ? undefined : unpackError(report.ended));
  }

  #end(error?: Error): void {
    this.#isOver = true;
    if (error === undefined) this.#ended.resolve();
    else this.#ended.reject(error);
  }
}
