/** Creates the topics that a deployment lacks. */

import { getLogger } from "@logtape/logtape";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { type Log, LogError, type TopicSpec } from "../log/log.ts";
import { SAMPLES_ENDING, surfaceTopicSpecs } from "../topics/surfaces.ts";
import {
  generationTopics,
  prefixOf,
  topicNames,
  type Topics,
  topicSpecs,
  variantTopicSpecs,
} from "../topics/topics.ts";
import { checkVariants, type ServiceOptions } from "./jobs/options.ts";
import { checkFollowed } from "./jobs/sources_job.ts";

const logger = getLogger(["meander", "service"]);

/** The topics of a deployment. */
export interface CreatedTopics {
  readonly topics: Topics;
  /** All of them, including those of variants and surfaces. */
  readonly specs: readonly TopicSpec[];
  /** Number of partitions of `events`. */
  readonly partitions: number;
}

/**
 * Checks that the topics of a deployment fit together and match its options, then creates those that are missing.
 *
 * @returns the topics, their specifications, and the number of partitions of `events`
 * @throws LogError `topic-mismatch` when topics exist with other partitions, or belong to another deployment
 */
export async function createTopics<N extends ModelName>(
  log: Log,
  options: ServiceOptions<N>,
): Promise<CreatedTopics> {
  const { prefix, generation = 1, sources = [] } = options;
  const topics = generationTopics(topicNames(prefix), generation);
  checkFollowed(topics, sources);
  const existing = await log.topics(prefixOf(topics));
  const partitions = options.partitions ?? existing.get(topics.events)?.partitions ?? 1;
  const specs = topicSpecs(topics, partitions);
  logMissing(specs.map(({ name }) => name).filter((name) => !existing.has(name)), specs.length);
  const wanted = wantedTopics(topics, partitions, { ...options, variants: checkVariants(options) });
  await log.createTopics(wanted);
  return { topics, partitions, specs: wanted };
}

/** What decides which topics a deployment needs. */
interface TopicNeeds extends Pick<ServiceOptions, "surfaceTopics" | "encodeSamples"> {
  readonly variants: readonly ModelName[];
}

function wantedTopics(topics: Topics, partitions: number, needs: TopicNeeds): TopicSpec[] {
  const { variants, surfaceTopics, encodeSamples } = needs;
  const endings = { ...surfaceTopics, ...(encodeSamples && { [""]: SAMPLES_ENDING }) };
  return [
    ...topicSpecs(topics, partitions),
    ...variantTopicSpecs(topics, variants),
    ...surfaceTopicSpecs(topics, partitions, endings),
  ];
}

/**
 * Runs `act`, which creates a topic of its own before the others; if it may not create topics, the error names all
 * topics that are missing.
 */
export async function beforeTopics<T>(
  log: Log,
  { topics, partitions, ...needs }: TopicNeeds & { readonly topics: Topics; readonly partitions: number },
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof LogError && error.code === "unknown-topic") {
      await log.createTopics(wantedTopics(topics, partitions, needs));
    }
    throw error;
  }
}

/** Logs the topics that a deployment lacks, if it has others. @param all how many it should have */
function logMissing(missing: readonly string[], all: number): void {
  // The topic of generations comes before all others.
  if (missing.length === 0 || missing.length >= all - 1) return;
  logger.warn(
    "creating {missing}, which this deployment lacks: they are new in this release, or were deleted with their records " +
      "(docs/explanation/exactly-once.md, Positions and identity)",
    { missing: missing.join(", ") },
  );
}
