/**
 * Runs a Kafka broker for development: one KRaft node on the loopback interface, ready in seconds; with
 * `--registry`, also a schema registry. Needs Java 17 and Maven; what they run is fetched once, into `.data/kafka`.
 * Stops cleanly on Ctrl-C, on SIGTERM, and when the process that started it is gone.
 *
 *     deno task kafka [--port 9092] [--data .data/kafka/9092] [--fresh] [--registry [8081]]
 */

import { InvalidArgumentError } from "commander";
import { startBroker } from "./kafka/dev_broker.ts";
import { startRegistry } from "./kafka/schema_registry.ts";
import { commandArguments, commandName, createCommand, print, say } from "./flags/command_line.ts";

interface Options {
  readonly port: number;
  readonly data?: string;
  readonly fresh: boolean;
  readonly registry?: number | true;
}

const { port, data = `.data/kafka/${port}`, fresh, registry } = createCommand(commandName("kafka"))
  .description("Run a Kafka broker for development.")
  .option("--port <port>", "TCP port to listen on", toPort, 9092)
  .option("--data <folder>", "folder of the log (default: .data/kafka/<port>)")
  .option("--fresh", "empty the folder first", false)
  .option(
    "--registry [port]",
    "run a schema registry, too: Apicurio, schemas in memory (default: port 8081)",
    toPort,
  )
  .parse(commandArguments(), { from: "user" })
  .opts<Options>();

const parent = Deno.ppid;
const started = performance.now();
const broker = await startBroker({ port, data: await absolute(data), fresh }).catch(giveUp);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
say(`Kafka is ready at ${broker.address} after ${seconds} s, data in ${data}; Ctrl-C stops it`);
const stop = () => void broker.stop();
Deno.addSignalListener("SIGINT", stop);
Deno.addSignalListener("SIGTERM", stop);
const watch = setInterval(() => {
  if (Deno.ppid !== parent) stop();
}, 500);
if (registry !== undefined) {
  startRegistry(registry === true ? 8081 : registry).then(
    ({ url }) => say(`The schema registry is ready at ${url}`),
    (error) => complain(`${error.message}\nThe broker continues without it`),
  );
}
await broker.ended;
clearInterval(watch);
Deno.exit(); // which ends the registry, too

function giveUp({ message }: Error): never {
  complain(message);
  Deno.exit(1);
}

function complain(line: string): void {
  print(Deno.stderr, `${line}\n`);
}

async function absolute(folder: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  return await Deno.realPath(folder);
}

function toPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError("A port is a number from 1 to 65535.");
  }
  return port;
}
