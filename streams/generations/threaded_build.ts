/**
 * A build of a generation in a thread of its own, while the service keeps answering.
 *
 * @module
 */

import { isShared } from "../log/capabilities.ts";
import { ignore } from "../log/ignore.ts";
import type { Log, LogConnection } from "../log/log.ts";
import { orAborted } from "../log/pause.ts";
import { unpackError } from "../log/threads/port_calls.ts";
import { connectLog } from "../log/threads/serve_log.ts";
import { unreadable } from "../log/unreadable.ts";
import { LATE_MS } from "../service/readiness.ts";
import type { BuildFigures, BuildOrder, BuildReport, BuildSpec } from "./build_messages.ts";

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

/** Builds in a thread. Nothing else may run the generation until it is disposed. */
export class ThreadedBuild implements AsyncDisposable {
  readonly #thread: Worker;
  readonly #connection: LogConnection | undefined;
  readonly #onProgress: ThreadedBuildOptions["onProgress"];
  readonly #ended = Promise.withResolvers<void>();
  readonly #watch: ReturnType<typeof setInterval>;
  #isOver = false;
  #built = Promise.withResolvers<void>();

  /** Begins, and builds nothing yet. @param neighbour rests while it is late */
  constructor(
    log: Log,
    spec: BuildSpec,
    neighbour: () => BuildNeighbour,
    { share, permissions, onProgress }: ThreadedBuildOptions,
  ) {
    this.#onProgress = onProgress;
    const late = new Int32Array(new SharedArrayBuffer(4));
    const look = () => Atomics.store(late, 0, neighbour().waitedMs > LATE_MS ? 1 : 0);
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

  /** Builds a leg. @throws what building throws, or the signal's reason */
  async build(until: readonly number[], signal: AbortSignal): Promise<void> {
    this.#built = Promise.withResolvers();
    this.#order({ until });
    await orAborted(Promise.race([this.#built.promise, this.#ended.promise]), signal);
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
  }

  #order(order: BuildOrder, transfer: Transferable[] = []): void {
    this.#thread.postMessage(order, transfer);
  }

  #hear(report: BuildReport): void {
    if ("progress" in report) this.#onProgress(report.progress);
    else if ("built" in report) this.#built.resolve();
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
