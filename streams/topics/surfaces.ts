/**
 * Topics with the recommendations for single surfaces, for consumers that need only those.
 *
 * Their records are also on `recommendations`, with the same header `input`: requests over HTTP, figures of
 * experiments and evaluation read that topic. Their names begin with that topic's name, so that backups and erasures
 * find them.
 */

import { by, type Option } from "../../src/options/option.ts";
import type { Log, TopicSpec } from "../log/log.ts";
import { prefixOf, type Topics } from "./topics.ts";

const ENDING: Option<string> = {
  kind: {
    kind: "text",
    minLength: 1,
    maxLength: 64,
    pattern: { source: "^[A-Za-z0-9_-]+$", message: "has characters other than letters, digits, - and _" },
  },
  about: "",
  value: "",
};

/** Ending of the topic with samples for other programs. */
export const SAMPLES_ENDING = "samples";
/** Stands for all surfaces, including requests without a surface. */
const ALL = "*";

/** Endings of topics by surface: `{"home": "front"}` copies answers for `home` to `recommendations.front`. */
export const SURFACE_TOPICS: Option<Readonly<Record<string, string>> | undefined> = by(
  ENDING,
  "topics that receive copies of recommendations: for a surface, or `*` for all, the ending of the topic " +
    "`recommendations.<ending>`; see [topics](topics.md#lists)",
);

export function surfaceTopic({ recommendations }: Pick<Topics, "recommendations">, ending: string): string {
  return `${recommendations}.${ending}`;
}

/** The topics that receive a copy of an answer for a surface. */
export function copiesOf(
  topics: Pick<Topics, "recommendations">,
  endings: Readonly<Record<string, string>> = {},
  surface?: string,
): string[] {
  const own = [surface, ALL].flatMap((name) =>
    name !== undefined && Object.hasOwn(endings, name) ? [endings[name]!] : []
  );
  return [...new Set(own)].map((ending) => surfaceTopic(topics, ending));
}

/** The topics to create in addition to those of `topicSpecs`. */
export function surfaceTopicSpecs(
  topics: Topics,
  partitions: number,
  endings: Readonly<Record<string, string>> = {},
): TopicSpec[] {
  const own = new Set(Object.values(endings));
  return [...own].map((ending) => ({ name: surfaceTopic(topics, ending), partitions, cleanup: "delete" }));
}

/** The topics of surfaces on a log, including those of surfaces that are no longer configured. */
export async function surfaceTopicsOn(
  log: Pick<Log, "topics">,
  { events, recommendations }: Pick<Topics, "events" | "recommendations">,
): Promise<string[]> {
  const existing = await log.topics(prefixOf({ events }));
  const least = existing.get(events)?.partitions ?? Infinity;
  return [...existing]
    .filter(([name, { partitions }]) => name.startsWith(`${recommendations}.`) && partitions >= least)
    .map(([name]) => name).sort();
}
