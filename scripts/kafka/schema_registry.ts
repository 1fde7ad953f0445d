/**
 * A schema registry for development and tests: Apicurio with the API of Confluent's, from an archive that Maven fetches.
 * Its schemas are in memory. Needs Java 17, Maven and a POSIX shell with tar.
 */

import { fileURLToPath } from "node:url";
import { portFor, startJava } from "./java_process.ts";
import { exists, jarsFolder, mavenJars, run } from "./maven_jars.ts";

const POM = fileURLToPath(new URL("./schema_registry.pom.xml", import.meta.url));
const CACHE = fileURLToPath(new URL("../../.data/kafka", import.meta.url));
const [, VERSION = ""] = /registry-app<\/artifactId>\s*<version>(.+?)</.exec(await Deno.readTextFile(POM)) ??
  [];
const NAME = `apicurio-registry-app-${VERSION}`;
/** On a busy machine it takes minutes. */
const START_TIMEOUT_MS = 600_000;
const JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/** The archive's path below Maven's folder. */
export const REGISTRY_ARCHIVE = `io/apicurio/apicurio-registry-app/${VERSION}/${NAME}-all.tar.gz`;

/** A running registry. Disposing kills it and waits until it is dead. */
export interface DevRegistry extends AsyncDisposable {
  /** Its URL for clients of Confluent's registry. */
  readonly url: string;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

/**
 * Starts a registry; resolves when it answers: ten seconds, and the first time a download of 142 MB more.
 *
 * @param port TCP port on the loopback interface; a free one otherwise
 * @throws Error when Java or Maven is missing, the archive cannot be fetched, or the registry does not start
 */
export async function startRegistry(port?: number): Promise<DevRegistry> {
  const what = "a schema registry";
  const own = await portFor(what, port);
  const folder = await prepareRegistry();
  const log = await Deno.makeTempFile({ prefix: "meander-registry-", suffix: ".log" });
  const url = `http://127.0.0.1:${own}/apis/ccompat/v7`;
  try {
    const at = ["-Dquarkus.http.host=127.0.0.1", `-Dquarkus.http.port=${own}`];
    const command = ["java", ...JVM, ...at, "-jar", `${folder}/${NAME}-runner.jar`];
    const isReady = () => answers(`${url}/subjects`);
    const timeoutMs = START_TIMEOUT_MS;
    const registry = await startJava(command, { what, port: own, log, isReady, timeoutMs });
    const ended = registry.ended.then(() => Deno.remove(log));
    const kill = async () => {
      await registry.signal("KILL");
      await ended;
    };
    return { url, ended, [Symbol.asyncDispose]: kill };
  } catch (error) {
    await Deno.remove(log);
    throw error;
  }
}

/** Whether its files are present, so that nothing has to be fetched. */
export async function hasRegistry(): Promise<boolean> {
  return await exists(unpackedIn(await jarsFolder(POM, CACHE)));
}

/** Fetches and unpacks its files, once. @returns their folder */
export async function prepareRegistry(): Promise<string> {
  const fetched = await mavenJars(POM, CACHE);
  const folder = unpackedIn(fetched);
  if (await exists(folder)) return folder;
  const parts = await Deno.makeTempDir({ dir: fetched, prefix: "unpacking-" });
  await run(["sh", "-c", 'tar xzf "$1" -C "$2"', "sh", `${fetched}/${NAME}-all.tar.gz`, parts]);
  await Deno.rename(parts, folder).catch(async (error) => {
    if (!await exists(folder)) throw error;
    await Deno.remove(parts, { recursive: true }); // another process was first
  });
  return folder;
}

function unpackedIn(folder: string): string {
  return `${folder}/unpacked`;
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url).then(async (response) => {
    await response.body?.cancel();
    return response.ok;
  }, () => false);
}
