/**
 * A schema registry for development and tests: Apicurio with the API of Confluent's, from an archive that Maven fetches.
 * Its schemas are in memory. Needs Java 17, Maven and a POSIX shell with tar.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "./dev_broker.ts";
import { exists, mavenJars, run } from "./maven_jars.ts";

const VERSION = "2.6.13.Final";
const NAME = `apicurio-registry-app-${VERSION}`;
const POM = fileURLToPath(new URL("./schema_registry.pom.xml", import.meta.url));
const CACHE = fileURLToPath(new URL("../../.data/kafka", import.meta.url));
const START_TIMEOUT_MS = 90_000;
const JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/** Ends Java when our end of the input closes, so that it dies with us, even by kill -9. */
const GUARD = `
trap '' INT
exec 3<&0 </dev/null >"$1" 2>&1; shift
"$@" 3<&- & java=$!
{ read -r _ <&3; kill -9 $java; } 2>/dev/null & guard=$!
wait $java
kill $guard 2>/dev/null
`;

/** A registry that runs. Disposing kills it and waits until it is dead. */
export interface DevRegistry extends AsyncDisposable {
  /** Its URL, as clients of Confluent's registry want it. */
  readonly url: string;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

/**
 * Starts one; resolves when it answers: ten seconds, and the first time as long as 142 MB take.
 *
 * @param port TCP port on the loopback interface; a free one otherwise
 * @throws Error when Java or Maven is missing, the archive cannot be fetched, or the registry does not start
 */
export async function startRegistry(port?: number): Promise<DevRegistry> {
  const folder = await unpacked();
  const own = port ?? await freePort();
  const log = await Deno.makeTempFile({ prefix: "meander-registry-", suffix: ".log" });
  const at = ["-Dquarkus.http.host=127.0.0.1", `-Dquarkus.http.port=${own}`];
  const child = new Deno.Command("sh", {
    args: ["-c", GUARD, "sh", log, "java", ...JVM, ...at, "-jar", `${folder}/${NAME}-runner.jar`],
    ...{ stdin: "piped", stdout: "null", stderr: "null" },
  }).spawn();
  let running = true;
  const ended = child.status.then(async () => {
    running = false;
    await Deno.remove(log);
  });
  const kill = async () => {
    if (running) await child.stdin.close();
    await ended;
  };
  const url = `http://127.0.0.1:${own}/apis/ccompat/v7`;
  for (const until = performance.now() + START_TIMEOUT_MS; !await answers(`${url}/subjects`);) {
    if (running && performance.now() < until) {
      await delay(100);
      continue;
    }
    const said = await Deno.readTextFile(log).catch(({ message }) => `nothing: ${message}`);
    await kill();
    throw new Error(`Cannot start a schema registry on port ${own}: it said\n${said.slice(-2000)}`);
  }
  return { url, ended, [Symbol.asyncDispose]: kill };
}

/** The folder of its files, which are fetched and unpacked once. */
async function unpacked(): Promise<string> {
  const fetched = await mavenJars(POM, CACHE);
  const folder = `${fetched}/unpacked`;
  if (await exists(folder)) return folder;
  const parts = await Deno.makeTempDir({ dir: fetched, prefix: "unpacking-" });
  await run(["sh", "-c", 'tar xzf "$1" -C "$2"', "sh", `${fetched}/${NAME}-all.tar.gz`, parts]);
  await Deno.rename(parts, folder).catch(async (error) => {
    if (!await exists(folder)) throw error;
    await Deno.remove(parts, { recursive: true }); // somebody else was first
  });
  return folder;
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url).then(async (response) => {
    await response.body?.cancel();
    return response.ok;
  }, () => false);
}
