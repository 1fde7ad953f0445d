/** The topics of sources, seen from outside: how far they have been followed, by the positions on the log. */

import { reasonOf } from "../../src/values/reason.ts";
import type { SourceLag } from "../feeders/followed_topic.ts";
import { feederGroup, feederId } from "../feeders/feeder.ts";
import { checkEnd, type LostPosition, lostPosition } from "../feeders/resumed_position.ts";
import type { Log } from "../log/log.ts";
import { feederPosition, type TopicPosition } from "../topics/feeder_position.ts";
import type { Topics } from "../topics/topics.ts";
import type { Problem } from "./problem.ts";
import { type FollowedSource, SOURCES } from "./jobs/sources_job.ts";

export interface SourcesLook {
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** Records that a partition may be behind. @default {Infinity} */
  readonly maxLag?: number | undefined;
  /** Offsets that topics dropped before they were fed, as far as acknowledged. @default {0} */
  readonly knownUnfed?: number | undefined;
}

/** How far behind the partitions of sources are, and what is wrong. */
export async function lookAtSources(
  log: Log,
  topics: Topics,
  sources: readonly FollowedSource[],
  { now, maxLag = Infinity, knownUnfed = 0 }: SourcesLook,
): Promise<{ readonly lags: readonly SourceLag[]; readonly problems: readonly Problem[] }> {
  const lags: SourceLag[] = [];
  const problems: Problem[] = [];
  for (const source of sources) {
    const { name } = source.format;
    try {
      await using opened = new AsyncDisposableStack();
      const from = source.open === undefined ? log : opened.use(await source.open());
      const seen = await lookAt(log, topics, source, from, now);
      lags.push(...seen.lags);
      if (seen.lost !== null) problems.push({ what: seen.lost.what, remedy: seen.lost.remedy });
    } catch (error) {
      const what = `the topic of source ${name} cannot be examined: ${reasonOf(error)}`;
      problems.push({ what, remedy: `correct sources.${name}.follow, or the cluster that it names` });
    }
  }
  for (const { source, partition, lag } of lags) {
    if (lag <= maxLag) continue;
    const what = `source ${source} is ${lag} records behind in partition ${partition}`;
    problems.push({
      what,
      remedy: "check that a process with the role `task` runs, and read what it logs about sources",
    });
  }
  const unfed = lags.filter(({ lost }) => lost > 0);
  const count = unfed.reduce((sum, { lost }) => sum + lost, 0);
  if (count > knownUnfed) {
    const names = [...new Set(unfed.map(({ topic }) => topic))].join(", ");
    problems.push({
      what: `${count} offsets of ${names} were dropped before they were fed`,
      remedy:
        "feed their records in another way, and let the topic keep them for longer than `run` may be down; " +
        `then accept it: --known unfed=${count}`,
    });
  }
  return { lags, problems };
}

async function lookAt(
  log: Log,
  topics: Topics,
  { name = "", format, topic, start: begin }: FollowedSource,
  from: Log,
  now: () => number,
): Promise<{ readonly lags: readonly SourceLag[]; readonly lost: LostPosition | null }> {
  const identity = await from.identify(topic);
  if (identity === null) throw new Error(`${topic} does not exist, or we may not read it`);
  const position = await feederPosition<TopicPosition>(log, topics, feederId(topics, name));
  if (position !== null && position.id !== identity.id) {
    throw new Error(`${topic} was deleted and created again since it was followed`);
  }
  // A missing topic `positions` is reported elsewhere.
  const isReported = position !== null || await log.identify(topics.positions) === null;
  const context = { log, topics, group: feederGroup(topics, SOURCES) };
  const gone = isReported ? null : await lostPosition({ log: from, topic, start: begin }, context, identity);
  const lags: SourceLag[] = [];
  for (let partition = 0; partition < identity.partitions; partition++) {
    const { start, end } = await from.bounds(topic, partition);
    const saved = (position ?? gone)?.next[partition] ?? start;
    checkEnd(topic, partition, saved, { start, end });
    const next = Math.max(saved, start);
    const lost = (position?.unfed?.[partition] ?? 0) + next - saved;
    const { records: [oldest] } = await from.read(topic, partition, Math.min(next, end), { maxRecords: 1 });
    const lag = Math.max(0, end - next);
    const lagMs = oldest === undefined ? 0 : Math.max(0, now() - oldest.time);
    lags.push({ source: format.name, topic, partition, lag, lagMs, lost });
  }
  return { lags, lost: gone };
}
