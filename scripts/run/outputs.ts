/**
 * The format of lists for other systems, with its schema from a registry.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Config } from "../../streams/config/config.ts";
import { openOutputs, type Outputs } from "../../streams/formats/output_settings.ts";
import { RegistryError } from "../../streams/formats/registry_client.ts";
import { pause } from "../../streams/log/pause.ts";
import { SAMPLES_ENDING, surfaceTopic } from "../../streams/topics/surfaces.ts";
import type { Topics } from "../../streams/topics/topics.ts";

const logger = getLogger(["meander", "run"]);
const WAITING_MS = 5000;

/**
 * Makes encoders of lists and samples; waits, and logs that, while the registry is down.
 *
 * @param signal ends the wait; lists would then be JSON, but none are written after that
 */
export async function outputsOf(
  { outputs, surfaceTopics = {} }: Config,
  topics: Topics,
  signal: AbortSignal,
): Promise<Outputs | undefined> {
  const surfaces = Object.values(surfaceTopics).map((ending) => surfaceTopic(topics, ending));
  const into = { lists: [topics.lists, ...surfaces], samples: surfaceTopic(topics, SAMPLES_ENDING) };
  while (!signal.aborted) {
    try {
      return await openOutputs(outputs, into, { env: (name) => Deno.env.get(name) });
    } catch (error) {
      if (!(error instanceof RegistryError && error.isTemporary)) throw error;
      logger.warn("waiting for the schema registry: {reason}", { reason: error.message });
      await pause(WAITING_MS, signal);
    }
  }
  return undefined;
}
