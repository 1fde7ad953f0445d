/**
 * A Kafka broker for development and tests: one KRaft node, run from jars that Maven fetches. Needs Java 17,
 * Maven and a POSIX shell, nothing else.
 *
 * @module
 */

import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { exists, mavenJars, run } from "./maven_jars.ts";

/** Options of {@linkcode startBroker}. */
export interface DevBrokerOptions {
  /** TCP port on the loopback interface. @default {a free one} */
  readonly port?: number;
  /** Port of its controller, on the same interface. @default {a free one} */
  readonly controllerPort?: number;
  /** Folder of the log. @default {a temporary folder, removed at the end} */
  readonly data?: string;
  /** Whether to empty the folder first. @default {false} */
  readonly fresh?: boolean;
  /** Lines of `server.properties` to add or replace, by name. @default {{}} */
  readonly properties?: Readonly<Record<string, string>>;
  /** Passwords of users that may log in by SCRAM; taken when the folder is new. @default {{}} */
  readonly scramUsers?: Readonly<Record<string, string>>;
  /** Flags of its Java. @default {a quick start and little memory} */
  readonly jvm?: readonly string[];
  /** Levels of features other than Kafka's own, such as `transaction.version`; taken when the folder is new. @default {{}} */
  readonly features?: Readonly<Record<string, number>>;
}

/** A running broker. Disposing kills it and waits until it is dead. */
export interface DevBroker extends AsyncDisposable {
  /** Its address as a client wants it: `127.0.0.1:port`. */
  readonly address: string;
  /** The folder of its jars: the class path of Kafka's Java clients. */
  readonly jars: string;
  /** Resolves when the broker has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Ends it cleanly; takes about two seconds. */
  stop(): Promise<void>;
  /** Stops it as a machine that swaps does: it keeps its connections, and is silent. */
  freeze(): Promise<void>;
  /** Lets it go on. */
  thaw(): Promise<void>;
}

const POM = fileURLToPath(new URL("./pom.xml", import.meta.url));
const JARS = fileURLToPath(new URL("../../.data/kafka", import.meta.url));
/** Any 16 bytes will do, as long as a folder always meets the same. */
const CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw";
const START_TIMEOUT_MS = 60_000;
/** A quick start matters more than throughput; the small buffer of the log cleaner saves 120 MB. */
const QUICK_JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const LOGGING = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
/** Silence about classes that cannot be archived, and about an archive of another Java, which does not count. */
const ARCHIVE_LOGGING = "-Xlog:disable";

/**
 * The defaults of Kafka's `kafka-server-start.sh`, for measurements: with the quick flags, the broker stops for 20 to
 * 45 ms to collect garbage after every second or two of work.
 */
export const SERVER_JVM: readonly string[] = [
  "-Xmx1G",
  "-Xms1G",
  "-server",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
  "-XX:+ExplicitGCInvokesConcurrent",
];

/**
 * Runs Java under a shell that ends it when our end of its standard input closes, so that it dies with us, even
 * by kill -9. A line on the input is the name of a signal for it. Ctrl-C reaches the whole process group, so it is
 * ignored here: whoever started the broker stops it.
 */
const GUARD = `
trap '' INT
exec 3<&0 </dev/null >"$1" 2>&1; shift
"$@" 3<&- & java=$!
{ while read -r signal <&3; do kill -"$signal" $java; done; kill $java; kill -CONT $java; } 2>/dev/null & guard=$!
wait $java
kill $guard 2>/dev/null
`;

/**
 * Starts a broker; resolves when it takes connections: three seconds, and twenty more the first time.
 *
 * @throws Error when Java or Maven is missing, the jars cannot be fetched, or the broker does not start
 */
export async function startBroker(options: DevBrokerOptions = {}): Promise<DevBroker> {
  const jars = await prepareBroker();
  return await start(options, jars, [
    ...QUICK_JVM,
    `-XX:SharedArchiveFile=${archiveOf(jars)}`,
    ARCHIVE_LOGGING,
  ]);
}

async function start(options: DevBrokerOptions, jars: string, quick: readonly string[]): Promise<DevBroker> {
  const java = (flags: readonly string[]) => ["java", ...flags, LOGGING, "-cp", `${jars}/*`];
  const port = options.port ?? await freePort();
  if (await accepts(port)) throw new Error(`Cannot start a Kafka broker on port ${port}: it is in use`);
  const data = options.data ?? await Deno.makeTempDir({ prefix: "meander-kafka-" });
  if (options.fresh) await remove(data);
  await Deno.mkdir(data, { recursive: true });
  const properties = `${data}/server.properties`;
  await Deno.writeTextFile(
    properties,
    serverProperties(port, options.controllerPort ?? await freePort(), data, options.properties),
  );
  if (!await exists(`${data}/log/meta.properties`)) {
    const users = Object.entries(options.scramUsers ?? {}).flatMap(([name, password]) =>
      ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
        "--add-scram",
        `${mechanism}=[name=${name},password=${password}]`,
      ])
    );
    const features = Object.entries(options.features ?? {}).flatMap((
      [name, level],
    ) => ["--feature", `${name}=${level}`]);
    const format = ["format", "-t", CLUSTER_ID, "-c", properties, ...users, ...features];
    await run([...java(quick), "kafka.tools.StorageTool", ...format]);
  }
  const command = [...java(options.jvm ?? quick), "kafka.Kafka", properties];
  const child = new Deno.Command("sh", {
    args: ["-c", GUARD, "sh", `${data}/broker.log`, ...command],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const input = child.stdin.getWriter();
  const signal = (name: "KILL" | "STOP" | "CONT") =>
    input.write(new TextEncoder().encode(`${name}\n`)).catch(ignoreEnded);
  const close = () => input.close().catch(ignoreEnded);
  let running = true;
  const ended = child.status.then(async () => {
    running = false;
    await close();
    if (options.data === undefined) await remove(data);
  });
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!await accepts(port)) {
    if (running && performance.now() < deadline) {
      await delay(50);
      continue;
    }
    const log = await Deno.readTextFile(`${data}/broker.log`).catch(({ message }) => `nothing: ${message}`);
    await signal("KILL");
    await ended;
    throw new Error(`Cannot start a Kafka broker on port ${port}: it said\n${log.slice(-2000)}`);
  }
  return {
    address: `127.0.0.1:${port}`,
    jars,
    ended,
    async stop() {
      await close();
      await ended;
    },
    freeze: () => signal("STOP"),
    thaw: () => signal("CONT"),
    async [Symbol.asyncDispose]() {
      await signal("KILL");
      await ended;
    },
  };
}

/** The pipe is closed already, or its reader has ended, which is what was wanted. */
function ignoreEnded(error: unknown): void {
  if (!(error instanceof TypeError || error instanceof Deno.errors.BrokenPipe)) throw error;
}

/**
 * Makes sure that a broker can be started here: fetches its jars, and has one broker leave an archive of its classes, with
 * which those after it take half of the processor time to start.
 *
 * @returns The folder of the jars.
 * @throws Error when Java or Maven is missing, the jars cannot be fetched, or that broker does not start
 */
export async function prepareBroker(): Promise<string> {
  const jars = await mavenJars(POM, JARS);
  const archive = archiveOf(jars);
  if (await exists(archive)) return jars;
  const own = `${archive}-${crypto.randomUUID()}`;
  const jvm = [...QUICK_JVM, `-XX:ArchiveClassesAtExit=${own}`, ARCHIVE_LOGGING];
  const first = await start({ jvm }, jars, QUICK_JVM);
  await first.stop();
  await Deno.rename(own, archive);
  return jars;
}

function archiveOf(jars: string): string {
  return `${jars}.jsa`;
}

function serverProperties(
  port: number,
  controllerPort: number,
  data: string,
  more: Readonly<Record<string, string>> = {},
): string {
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    "listeners": `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "log.dirs": `${data}/log`,
    "num.partitions": "1",
    "auto.create.topics.enable": "false",
    "log.cleaner.dedupe.buffer.size": "8388608",
    // One node has no replicas.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    // Quick to form a group, and to come back after kill -9 (4 s instead of 13).
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "250",
    ...more,
  };
  return Object.entries(properties).map(([name, value]) => `${name}=${value}\n`).join("");
}

/** A port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
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

async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
