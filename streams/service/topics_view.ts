/** The topics of a deployment, seen from outside. */

import type { Log, TopicSpec } from "../log/log.ts";
import { type Topics, topicSpecs } from "../topics/topics.ts";
import type { Problem } from "./problem.ts";

/** A deployment, and its existing topics. */
export interface SeenDeployment {
  readonly log: Log;
  readonly topics: Topics;
  readonly existing: ReadonlyMap<string, TopicSpec>;
}

/** An expected topic. */
export interface TopicView {
  readonly name: string;
  /** Its partitions; 0 = it is missing. */
  readonly partitions: number;
  /** How many of them were added by hand, and stay empty. */
  readonly unused: number;
  /** Offsets from the first record that can be read to the end, of all partitions; including holes in the log. */
  readonly records: number;
}

/**
 * Looks at the topics that a deployment has.
 *
 * @param deployment with its log as it is, and without the partitions that were added by hand
 * @param problems receives what is wrong with them
 */
export async function lookAtTopics(
  { topics, existing, whole, own }: Omit<SeenDeployment, "log"> & { readonly whole: Log; readonly own: Log },
  problems: Problem[],
): Promise<readonly TopicView[]> {
  const events = existing.get(topics.events)?.partitions;
  const specs = topicSpecs(topics, events ?? 1);
  if (specs.every(({ name }) => !existing.has(name))) {
    problems.push({
      what: `there are no topics yet: ${topics.events} and all others are missing`,
      remedy:
        "start `deno task run`, which creates them; or name the prefix of those that exist, --prefix; " +
        "or grant this user DESCRIBE on them",
    });
    return [];
  }
  const views: TopicView[] = [];
  for (const wanted of specs) {
    problems.push(...problemsOf(wanted, existing.get(wanted.name), topics.events, events !== undefined));
    views.push(await viewOf(wanted.name, existing.has(wanted.name), whole, own));
  }
  return views;
}

/** What is wrong with a topic. @param spec as it is; `undefined` = it is missing */
function problemsOf(
  { name, cleanup, partitions }: TopicSpec,
  spec: TopicSpec | undefined,
  events: string,
  isSized: boolean,
): readonly Problem[] {
  if (spec === undefined) {
    const size = isSized ? ` with ${partitions} partitions` : "";
    const remedy =
      `start \`deno task run\`, which creates it; or create it${size}, cleanup.policy=${cleanup}; ` +
      "or, if it exists, grant this user DESCRIBE on it";
    return [{ what: `topic ${name} is missing`, remedy }];
  }
  const problems: Problem[] = [];
  if (spec.cleanup !== cleanup) {
    problems.push({
      what: `topic ${name} has cleanup ${spec.cleanup}, not ${cleanup}`,
      remedy: `kafka-configs.sh --alter --entity-type topics --entity-name ${name} ` +
        `--add-config cleanup.policy=${cleanup}`,
    });
  }
  if (spec.partitions !== partitions) {
    problems.push({
      what: `topic ${name} has ${spec.partitions} partitions, not ${partitions}`,
      remedy: `${events} and it must have the same number: start afresh under another --prefix`,
    });
  }
  return problems;
}

async function viewOf(name: string, exists: boolean, whole: Log, own: Log): Promise<TopicView> {
  if (!exists) return { name, partitions: 0, unused: 0, records: 0 };
  const [partitions = 0, used = 0] = await Promise.all(
    [whole, own].map(async (log) => (await log.identify(name))?.partitions),
  );
  let records = 0;
  for (let p = 0; p < partitions; p++) {
    const { start, end } = await whole.bounds(name, p);
    records += end - start;
  }
  return { name, partitions, unused: partitions - used, records };
}
