/**
 * A real schema registry, where it is available.
 *
 * @module
 */

import { exists } from "../../scripts/kafka/maven_jars.ts";
import {
  type DevRegistry,
  hasRegistry,
  REGISTRY_ARCHIVE,
  startRegistry,
} from "../../scripts/kafka/schema_registry.ts";

/** Fetches 142 MB, which a test does not do unasked. */
const FETCH = "deno task kafka --registry";

/** A registry that runs. */
export interface Registry extends DevRegistry {
  /** Registers a schema. @returns its id */
  register(subject: string, body: object): Promise<number>;
}

/** Whether one can run here; reports loudly when not. */
export async function hasApicurio(): Promise<boolean> {
  const [archive, java] = await Promise.all([
    await hasRegistry() || exists(`${Deno.env.get("HOME")}/.m2/repository/${REGISTRY_ARCHIVE}`),
    new Deno.Command("java", { args: ["-version"] }).output().then(({ success }) => success, () => false),
  ]);
  if (archive && java) return true;
  const text = `SKIPPED: the test with a real schema registry needs Java and, once, ${FETCH}\n`;
  await Deno.stderr.write(new TextEncoder().encode(text));
  return false;
}

/** Starts one. */
export async function startApicurio(): Promise<Registry> {
  const registry = await startRegistry();
  return {
    ...registry,
    async register(subject, body) {
      const response = await fetch(`${registry.url}/subjects/${subject}/versions`, {
        method: "POST",
        headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
        body: JSON.stringify(body),
      });
      const { id, ...rest } = await response.json();
      if (typeof id === "number") return id;
      throw new Error(`Cannot register ${subject}: ${JSON.stringify(rest)}`);
    },
  };
}
