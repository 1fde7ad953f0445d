/**
 * A Kafka broker for development and tests: one KRaft node, run from jars that Maven fetches. Needs Java 17,
 * Maven and a POSIX shell, nothing else.
 */

import { fileURLToPath } from "node:url";
import { freePort, portFor, startJava } from "./java_process.ts";
import { exists, mavenJars, remove, run } from "./maven_jars.ts";

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
  /** Passwords of users that may log in by SCRAM; apply only to a new folder. @default {none} */
  readonly scramUsers?: Readonly<Record<string, string>>;
  /** Flags of its JVM. @default {a quick start and little memory} */
  readonly jvm?: readonly string[];
  /** Levels of features other than Kafka's own, such as `transaction.version`; apply only to a new folder. @default {those of this Kafka} */
  readonly features?: Readonly<Record<string, number>>;
}

/** A running broker. Disposing kills it and waits until it is dead. */
export interface DevBroker extends AsyncDisposable {
  /** Its address for clients: `127.0.0.1:port`. */
  readonly address: string;
  /** The folder of its jars: the class path of Kafka's Java clients. */
  readonly jars: string;
  /** Resolves when the broker has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Ends it cleanly; takes about two seconds. */
  stop(): Promise<void>;
  /** Suspends it, like a machine that swaps: it keeps its connections, but is silent. */
  freeze(): Promise<void>;
  /** Resumes it. */
  thaw(): Promise<void>;
}

const POM = fileURLToPath(new URL("./pom.xml", import.meta.url));
const JARS = fileURLToPath(new URL("../../.data/kafka", import.meta.url));
/** Any 16 bytes will do, as long as they are always the same for a folder. */
const CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw";
const START_TIMEOUT_MS = 180_000;
/** A quick start matters more than throughput; the small buffer of the log cleaner saves 120 MB. */
const QUICK_JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/**
 * A broker that is silent for a second, as on a busy machine, would be expelled and never come back. Rare
 * heartbeats suffice then: frequent ones cost an idle broker 40 % of its processor time.
 */
const NO_RETURN = { "broker.session.timeout.ms": "60000", "broker.heartbeat.interval.ms": "5000" };
const LOGGING = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
/** Silences warnings about classes that cannot be archived, and about an archive of another Java, which is ignored. */
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
 * Starts a broker; resolves when it accepts connections: three seconds, and twenty more the first time.
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
  const what = "a Kafka broker";
  const port = await portFor(what, options.port);
  const data = options.data ?? await Deno.makeTempDir({ prefix: "meander-kafka-" });
  const clear = async () => {
    if (options.data === undefined) await remove(data);
  };
  try {
    if (options.fresh) await remove(data);
    await Deno.mkdir(data, { recursive: true });
    const properties = `${data}/server.properties`;
    const controllerPort = options.controllerPort ?? await freePort();
    const more = { ...(options.data === undefined ? NO_RETURN : {}), ...options.properties };
    await Deno.writeTextFile(properties, serverProperties(port, controllerPort, data, more));
    const java = (flags: readonly string[]) => ["java", ...flags, LOGGING, "-cp", `${jars}/*`];
    const { scramUsers, features } = options;
    if (!await exists(`${data}/log/meta.properties`)) {
      const isUsual = scramUsers === undefined && features === undefined && await exists(archiveOf(jars));
      if (isUsual) await copyFormat(jars, `${data}/log`, options.properties?.["node.id"]);
      else await run([...java(quick), "kafka.tools.StorageTool", ...formatting(properties, options)]);
    }
    const command = [...java(options.jvm ?? quick), "kafka.Kafka", properties];
    const log = `${data}/broker.log`;
    const broker = await startJava(command, { what, port, log, timeoutMs: START_TIMEOUT_MS });
    const ended = broker.ended.then(clear);
    const end = async (way: () => Promise<void>) => {
      await way();
      await ended;
    };
    return {
      address: `127.0.0.1:${port}`,
      jars,
      ended,
      stop: () => end(() => broker.stop()),
      freeze: () => broker.signal("STOP"),
      thaw: () => broker.signal("CONT"),
      [Symbol.asyncDispose]: () => end(() => broker.signal("KILL")),
    };
  } catch (error) {
    await clear();
    throw error;
  }
}

/** Formats a new folder as the tool did for the first broker, without starting Java. */
async function copyFormat(jars: string, log: string, node = "1"): Promise<void> {
  await Deno.mkdir(log, { recursive: true });
  await Deno.copyFile(formatOf(jars), `${log}/bootstrap.checkpoint`);
  // A UUID; it must not begin with a dash.
  const id = crypto.getRandomValues(new Uint8Array(16)).fill(1, 0, 1).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  const lines = ["version=1", `cluster.id=${CLUSTER_ID}`, `node.id=${node}`, `directory.id=${id}`];
  await Deno.writeTextFile(`${log}/meta.properties`, `${lines.join("\n")}\n`);
}

/** Arguments of the tool for a new folder. */
function formatting(properties: string, { scramUsers = {}, features = {} }: DevBrokerOptions): string[] {
  const users = Object.entries(scramUsers).flatMap(([name, password]) =>
    ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
      "--add-scram",
      `${mechanism}=[name=${name},password=${password}]`,
    ])
  );
  const levels = Object.entries(features).flatMap(([name, level]) => ["--feature", `${name}=${level}`]);
  return ["format", "-t", CLUSTER_ID, "-c", properties, ...users, ...levels];
}

/**
 * Makes sure that a broker can be started here: fetches its jars, and has one broker leave an archive of its classes,
 * with which later ones start in half of the processor time.
 *
 * @returns The folder of the jars.
 * @throws Error when Java or Maven is missing, the jars cannot be fetched, or that broker does not start
 */
export async function prepareBroker(): Promise<string> {
  const jars = await mavenJars(POM, JARS);
  const archive = archiveOf(jars);
  if (await exists(archive)) return jars;
  const data = await Deno.makeTempDir({ prefix: "meander-kafka-" });
  const suffix = crypto.randomUUID();
  const [own, ownFormat] = [`${archive}-${suffix}`, `${formatOf(jars)}-${suffix}`];
  try {
    const jvm = [...QUICK_JVM, `-XX:ArchiveClassesAtExit=${own}`, ARCHIVE_LOGGING];
    const first = await start({ jvm, data }, jars, QUICK_JVM);
    await first.stop();
    await Deno.copyFile(`${data}/log/bootstrap.checkpoint`, ownFormat);
    await Deno.rename(ownFormat, formatOf(jars));
    // Last: an archive means that everything is complete.
    await Deno.rename(own, archive);
  } finally {
    await Promise.all([data, own, ownFormat].map(remove));
  }
  return jars;
}

function archiveOf(jars: string): string {
  return `${jars}.jsa`;
}

/** Contents of a new folder besides names: the features of this version of Kafka. */
function formatOf(jars: string): string {
  return `${jars}.checkpoint`;
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
    // Forms groups quickly, and comes back quickly after kill -9 (4 s instead of 13).
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "250",
    // An idle broker writes a record this often: at the default of 500 ms, a fifth of its processor time.
    "metadata.max.idle.interval.ms": "5000",
    ...more,
  };
  return Object.entries(properties).map(([name, value]) => `${name}=${value}\n`).join("");
}
