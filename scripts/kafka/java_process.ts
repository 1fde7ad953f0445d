/**
 * A server in Java that dies with us.
 *
 * @module
 */

import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** What is started, and how it is known to be there. */
export interface JavaOptions {
  /** What it is, for errors. */
  readonly what: string;
  /** Its TCP port on the loopback interface. */
  readonly port: number;
  /** File for what it says. */
  readonly log: string;
  /** Whether it is ready. @default {it takes connections} */
  readonly isReady?: () => Promise<boolean>;
  /** How long it may take, milliseconds. */
  readonly timeoutMs: number;
}

/** A process that has started. */
export interface JavaProcess {
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Ends it cleanly. */
  stop(): Promise<void>;
  /** Sends it a signal. */
  signal(name: "KILL" | "STOP" | "CONT"): Promise<void>;
}

/** Characters of what a process said that errors show. */
const SAID_CHARACTERS = 2000;

/**
 * Runs Java under a shell that ends it when our end of its standard input closes, so that it dies with us, even
 * by kill -9. A line on the input is the name of a signal for it. Ctrl-C reaches the whole process group, so it is
 * ignored here: whoever started the process stops it.
 */
const GUARD = `
trap '' INT
exec 3<&0 </dev/null >"$1" 2>&1; shift
"$@" 3<&- & java=$!
{ while read -r signal <&3; do kill -"$signal" $java; done; kill $java; kill -CONT $java; } 2>/dev/null & guard=$!
wait $java
kill $guard 2>/dev/null
`;

/** Starts one; resolves when it is ready. @throws Error with the last lines of its log when it is not in time, or ends */
export async function startJava(command: readonly string[], options: JavaOptions): Promise<JavaProcess> {
  const { what, port, log, isReady = () => accepts(port), timeoutMs } = options;
  const child = new Deno.Command("sh", {
    args: ["-c", GUARD, "sh", log, ...command],
    ...{ stdin: "piped", stdout: "null", stderr: "null" },
  }).spawn();
  const input = child.stdin.getWriter();
  const signal = (name: "KILL" | "STOP" | "CONT") =>
    input.write(new TextEncoder().encode(`${name}\n`)).catch(ignoreEnded);
  const close = () => input.close().catch(ignoreEnded);
  let isRunning = true;
  const ended = child.status.then(async () => {
    isRunning = false;
    await close();
  });
  const deadline = performance.now() + timeoutMs;
  while (!await isReady()) {
    if (isRunning && performance.now() < deadline) {
      await delay(50);
      continue;
    }
    const why = isRunning ? `it is not ready after ${timeoutMs / 1000} s` : "it has ended";
    await signal("KILL");
    await ended;
    const said = await Deno.readTextFile(log).catch(({ message }) => `nothing: ${message}`);
    throw new Error(
      `Cannot start ${what} on port ${port}: ${why}, and said\n${said.slice(-SAID_CHARACTERS)}`,
    );
  }
  return {
    ended,
    async stop() {
      await close();
      await ended;
    },
    signal,
  };
}

/** A port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A port to listen on: the one that is wanted, or one that is free. @throws Error when something listens there */
export async function portFor(what: string, port: number | undefined): Promise<number> {
  if (port === undefined) return await freePort();
  if (await accepts(port)) throw new Error(`Cannot start ${what} on port ${port}: it is in use`);
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const settle = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => settle(true)).once("error", () => settle(false));
  });
}

/** The pipe is closed already, or its reader has ended, which is what was wanted. */
function ignoreEnded(error: unknown): void {
  if (!(error instanceof TypeError || error instanceof Deno.errors.BrokenPipe)) throw error;
}
