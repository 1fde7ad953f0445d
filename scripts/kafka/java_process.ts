/** A Java server that dies with its parent process. */

import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** What to start, and how to check that it is ready. */
export interface JavaOptions {
  /** Name of the server, for errors. */
  readonly what: string;
  /** Its TCP port on the loopback interface. */
  readonly port: number;
  /** File for its output. */
  readonly log: string;
  /** Whether it is ready. @default {it accepts connections} */
  readonly isReady?: () => Promise<boolean>;
  /** How long it may take to be ready, milliseconds. */
  readonly timeoutMs: number;
}

/** A process that has started. */
export interface JavaProcess {
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Ends it cleanly. */
  stop(): Promise<void>;
  signal(name: "KILL" | "STOP" | "CONT"): Promise<void>;
}

/** Characters of a process's output that errors show. */
const SAID_CHARACTERS = 2000;

/**
 * Runs Java under a shell that ends it when our end of its standard input closes, so that Java dies with us, even by
 * kill -9. Each line on the input names a signal to send to Java. Ctrl-C reaches the whole process group, so the
 * shell ignores it: whoever started the process stops it.
 */
const GUARD = `
trap '' INT
exec 3<&0 </dev/null >"$1" 2>&1; shift
"$@" 3<&- & java=$!
{ while read -r signal <&3; do kill -"$signal" $java; done; kill $java; kill -CONT $java; } 2>/dev/null & guard=$!
wait $java
kill $guard 2>/dev/null
`;

/** Starts a server; resolves when it is ready. @throws Error with the last lines of its log when it is late, or ends */
export async function startJava(command: readonly string[], options: JavaOptions): Promise<JavaProcess> {
  const { what, port, log, isReady = () => accepts(port), timeoutMs } = options;
  const child = new Deno.Command("sh", {
    args: ["-c", GUARD, "sh", log, ...command],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
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
      `Cannot start ${what} on port ${port}: ${why}; its output:\n${said.slice(-SAID_CHARACTERS)}`,
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

/** Below the ports that systems give to clients, so that no connection takes one before a server listens on it. */
const PORTS = { from: 20_000, count: 12_000 };
const PORT_TRIES = 100;
/** Environment variable with the ports, `FROM+COUNT`, of a process that starts servers while others do, such as tests. */
export const OWN_PORTS = "PORTS_OF_TESTS";
const PARTS = 40;
const given = new Set<number>();

/** The value of {@linkcode OWN_PORTS} for the n-th process. */
export function partOfPorts(n: number): string {
  const count = PORTS.count / PARTS;
  return `${PORTS.from + n % PARTS * count}+${count}`;
}

/** A port of the loopback interface that was free a moment ago; another one each time. */
export async function freePort(): Promise<number> {
  const [from = PORTS.from, count = PORTS.count] = Deno.env.get(OWN_PORTS)?.split("+").map(Number) ?? [];
  for (let tries = 1;; tries++) {
    const port = from + Math.floor(Math.random() * count);
    if (given.has(port) && tries < PORT_TRIES) continue;
    given.add(port);
    try {
      const server = createServer();
      await new Promise<void>((resolve, reject) =>
        server.once("error", reject).listen(port, "127.0.0.1", resolve)
      );
      await new Promise((resolve) => server.close(resolve));
      return port;
    } catch (error) {
      if (tries === PORT_TRIES) throw error;
    }
  }
}

/** A port to listen on: the given one, or a free one. @throws Error when something listens there */
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

/** Ignores that the pipe is closed already, or that its reader has ended, as intended. */
function ignoreEnded(error: unknown): void {
  if (!(error instanceof TypeError || error instanceof Deno.errors.BrokenPipe)) throw error;
}
