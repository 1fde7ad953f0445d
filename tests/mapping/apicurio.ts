/**
 * A real schema registry, Apicurio with the API of Confluent's, without Docker.
 *
 * @module
 */

import { freePort } from "../../scripts/kafka/dev_broker.ts";

const VERSION = "2.6.13.Final";
const NAME = `apicurio-registry-app-${VERSION}`;
/** Of 142 MB, which a test does not fetch by itself. */
const FETCH = `mvn -q dependency:get -Dartifact=io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`;
const REPOSITORY = `${Deno.env.get("HOME")}/.m2/repository/io/apicurio/apicurio-registry-app/${VERSION}`;
const READY_MS = 90_000;

/** A registry that runs. */
export interface Registry extends AsyncDisposable {
  /** Its URL. */
  readonly url: string;
  /** Registers a schema. @returns its id */
  register(subject: string, body: object): Promise<number>;
}

/** Whether there can be one here; tells loudly when not. */
export async function hasApicurio(): Promise<boolean> {
  const [archive, java] = await Promise.all([
    Deno.stat(`${REPOSITORY}/${NAME}-all.tar.gz`).then(() => true, () => false),
    new Deno.Command("java", { args: ["-version"] }).output().then(({ success }) => success, () => false),
  ]);
  if (archive && java) return true;
  const text = `SKIPPED: the test with a real schema registry needs Java and, once, ${FETCH}\n`;
  await Deno.stderr.write(new TextEncoder().encode(text));
  return false;
}

/** Starts one, with its schemas in memory. */
export async function startApicurio(): Promise<Registry> {
  const folder = await Deno.makeTempDir({ prefix: "meander-registry-" });
  const archive = `${REPOSITORY}/${NAME}-all.tar.gz`;
  await new Deno.Command("tar", { args: ["xzf", archive, "-C", folder] }).output();
  const port = await freePort();
  const process = new Deno.Command("java", {
    args: [
      ...["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
      ...[
        "-Dquarkus.http.host=127.0.0.1",
        `-Dquarkus.http.port=${port}`,
        "-jar",
        `${folder}/${NAME}-runner.jar`,
      ],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const until = Date.now() + READY_MS;
  for (;;) {
    const isUp = await fetch(`${url}/subjects`).then(async (response) => {
      await response.body?.cancel();
      return response.ok;
    }, () => false);
    if (isUp) break;
    if (Date.now() > until) throw new Error(`The registry is not up after ${READY_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return {
    url,
    async register(subject, body) {
      const response = await fetch(`${url}/subjects/${subject}/versions`, {
        method: "POST",
        headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
        body: JSON.stringify(body),
      });
      return (await response.json()).id;
    },
    async [Symbol.asyncDispose]() {
      process.kill();
      await process.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}
