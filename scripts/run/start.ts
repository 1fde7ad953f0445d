/**
 * The first thread of `deno task run`: starts the thread of the service and forwards signals and the exit code. It stays
 * responsive while that thread computes for long or is dead.
 */

import { print } from "../flags/command_line.ts";

/** Messages to the thread of a service: to start, then to stop. */
export type Order<Flags> = { readonly flags: Flags } | { readonly stop: Deno.Signal };

/** Messages from it: that it listens (earlier messages are lost while its modules load), then its exit code. */
export type Report = "ready" | number;

/**
 * Supervisors may kill a process ten seconds after SIGTERM. What is not committed by then, because brokers are
 * unavailable or much is being restored, was never visible: the next owner does it again. So it is not a failure.
 */
export const PATIENCE_MS = 8000;
/** After this time the thread itself no longer responds: it computes, or waits for its disk. */
const LAST_PATIENCE_MS = PATIENCE_MS + 1000;

export interface ThreadOptions<Flags> {
  /** The first message to the thread. */
  readonly flags: Flags;
  readonly permissions: Deno.PermissionOptionsObject;
  /** How long it may take to end after a signal, milliseconds. @default {9000} */
  readonly patienceMs?: number;
}

/** Runs a service in a thread of this module, which must not call `Deno.exit`, as that ends the thread silently. @returns the exit code of the process */
export async function runThread<Flags>(
  module: URL,
  { flags, permissions, patienceMs = LAST_PATIENCE_MS }: ThreadOptions<Flags>,
): Promise<number> {
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  let isReady = false;
  let isStopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      if (!isReady) return end(0); // nothing has begun
      if (isStopping) return; // Ctrl-C comes from the terminal, and from `deno task` too
      isStopping = true;
      tell({ stop: signal });
      setTimeout(() => {
        const word = `ending ${patienceMs} ms after ${signal} without its thread, which does not respond`;
        print(Deno.stderr, `${word}\n`);
        end(0);
      }, patienceMs);
    });
  }
  const thread = new Worker(module, { type: "module", name: "service", deno: { permissions } });
  const tell = (order: Order<Flags>) => thread.postMessage(order);
  thread.onmessage = ({ data }: MessageEvent<Report>) => {
    if (data !== "ready") return end(data);
    isReady = true;
    tell({ flags });
  };
  thread.onerror = (event) => {
    event.preventDefault(); // the runtime has reported where
    end(1);
  };
  return await ended;
}
