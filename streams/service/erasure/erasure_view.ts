/** The receipt of an erasure: what remains on which topic, and until when. */

import { canErase } from "../../log/capabilities.ts";
import type { Log } from "../../log/log.ts";
import { surfaceTopicsOn } from "../../topics/surfaces.ts";
import { generationsOf } from "../../topics/generations.ts";
import { firstTopics, generationTopics, type Topics } from "../../topics/topics.ts";
import type { IdleModel } from "./idle_models.ts";

/** What remains of a user on a topic. */
export interface Remainder {
  readonly topic: string;
  /** What remains; `null` = nothing. */
  readonly remains: string | null;
  /** Until when at the latest, milliseconds since the epoch; `null` = nothing remains, or no end is set. */
  readonly until: number | null;
}

/**
 * How far an erasure is. On a log that can erase single records it is `done`, or leaves `fragments`: no record, but bytes
 * of some in unused parts of the file until it is rewritten. On one that drops records only by its own retention, it is
 * `kept` once everything that we can rewrite has been rewritten.
 */
export type ErasureState = "under way" | "fragments" | "done" | "kept";

/** How far an erasure is, and what remains. */
export interface ErasureView {
  readonly state: ErasureState;
  /** What remains, by topic. */
  readonly topics: readonly Remainder[];
}

/** How far an erasure is, as reported by whatever carries it out. */
export interface ErasureProgress {
  readonly state: ErasureState;
  /** Idle models that have not learnt of it. */
  readonly idle: readonly IdleModel[];
  /** Topics on which others name the user. @default {unknown} */
  readonly named?: ReadonlySet<string> | undefined;
}

/** Where an erasure was requested. */
export interface ErasurePlace {
  /** Partition of `events`. */
  readonly partition: number;
  /** Offset of the event. */
  readonly offset: number;
}

/** Carries out erasures, or watches what becomes of them. */
export interface Erasures extends Partial<AsyncDisposable> {
  /** How far an erasure is. */
  progress(place: ErasurePlace): ErasureProgress | Promise<ErasureProgress>;
}

const IN_RECORDS = ["events", "recommendations", "samples", "rejected", "signals"] as const;
const REPLACED = ["parameters", "state", "lists", "statistics", "figures", "checkpoints"] as const;

/** What a session keeps of its owner, and for a while its owner of it. */
const ALIASES =
  "the id in aliases of the user's sessions, until these are erased, too; for a session, in the state of " +
  "the user who took it over, until that user acts again";
/** What `events` keep of a user. */
const NAMING =
  "the id in aliases of the user's sessions, and in events of users who took it over, until these are erased, too";

/** A broker deletes no segment that it still writes to. */
const DROPPED_VERSIONS =
  "dropped versions: no reader sees them, and brokers delete their segments once these are full or old " +
  "(segment.bytes, segment.ms)";

/** A deployment whose erasures are viewed. */
interface Viewed {
  readonly log: Log;
  readonly topics: Topics;
}

/**
 * Views an erasure.
 *
 * @param progress as reported by the service; `null` if no process here knows it, which counts as under way
 * @param now milliseconds since the epoch, from which the remaining time is computed once the event itself is gone
 */
export async function viewErasure(
  deployment: Viewed,
  place: ErasurePlace,
  progress: ErasureProgress | null,
  now: number,
): Promise<ErasureView> {
  const { log, topics } = deployment;
  const surfaces = await surfaceTopicsOn(log, topics);
  const names = [...[...IN_RECORDS, ...REPLACED].map((name) => topics[name]), ...surfaces];
  const isErasing = progress !== null && progress.state !== "kept" && canErase(log);
  const remainders = isErasing
    ? names.map((topic) => ({ topic, remains: unerased(topics, topic, progress), until: null }))
    : await untilDropped(deployment, names, progress, await timeOf(deployment, place) ?? now);
  return { state: progress?.state ?? "under way", topics: [...remainders, await pins(log, topics)] };
}

/** What remains on a topic of a log that erases single records; `null` = nothing. */
function unerased(topics: Topics, topic: string, { state, named }: ErasureProgress): string | null {
  if (state === "under way") return "records that are being removed";
  const naming = named ?? new Set([topics.events, topics.state]);
  if (!naming.has(topic)) return null;
  return `${named === undefined ? "maybe " : ""}${topic === topics.events ? NAMING : ALIASES}`;
}

/** What remains on topics whose records expire by retention. @param since when the erasure was requested */
async function untilDropped(
  { log, topics }: Viewed,
  names: readonly string[],
  progress: ErasureProgress | null,
  since: number,
): Promise<readonly Remainder[]> {
  const { idle = [] } = progress ?? {};
  const replaced = new Set(REPLACED.map((name) => topics[name]));
  const remainders: Remainder[] = [];
  for (const topic of names) {
    if (topic === topics.parameters && progress?.state === "kept") {
      remainders.push({ topic, remains: DROPPED_VERSIONS, until: null });
      continue;
    }
    const keepMs = await log.keepMs?.(topic) ?? null;
    const what = replaced.has(topic) ? "records that were replaced" : "records";
    const end = keepMs === null ? "for ever: no retention is set" : "until the broker drops them";
    const notes = topic === topics.checkpoints ? idle.flatMap(checkpointNote) : [];
    if (topic === topics.state) notes.push(`maybe ${ALIASES}`);
    // The retention of records that are yet to be replaced begins only then.
    const until = keepMs === null || notes.length > 0 ? null : since + keepMs;
    remainders.push({ topic, remains: [`${what}, ${end}`, ...notes].join("; "), until });
  }
  return [...remainders, ...idle.flatMap(versionsNote), ...await otherGenerations(log, topics)];
}

/** The time of the event that requests an erasure; `undefined` once it is gone. */
async function timeOf(
  { log, topics }: Viewed,
  { partition, offset }: ErasurePlace,
): Promise<number | undefined> {
  const { records } = await log.read(topics.events, partition, offset, { maxRecords: 1 });
  return records.find((record) => record.offset === offset)?.time;
}

function checkpointNote({ model, hasCheckpoint }: IdleModel): string[] {
  if (!hasCheckpoint) return [];
  return [
    `maybe the id in the checkpoint of ${model}, which is not running, until ${model} is run again and has learnt of the erasure, ` +
    `or records without a value are appended for its keys (${model}/0, ${model}/1 and so on)`,
  ];
}

function versionsNote({ model, versions }: IdleModel): Remainder[] {
  if (versions === null) return [];
  const remains =
    `maybe the id in versions of ${model}, which is not running, until ${model} is run again and has ` +
    "learnt of the erasure, or the topic is deleted";
  return [{ topic: versions, remains, until: null }];
}

/** Generations that do not serve, which no erasure reaches. */
async function otherGenerations(log: Log, topics: Topics): Promise<Remainder[]> {
  const first = firstTopics(topics);
  const others = [...(await generationsOf(log, first)).keys()].map((number) => ({
    topic: generationTopics(first, number).state,
    remains:
      `maybe states, samples and weights of generation ${number}, which does not serve, until it serves or is dropped: ` +
      `deno task meander rebuild --drop ${number}`,
    until: null,
  }));
  return others.filter(({ topic }) => topic !== topics.state);
}

/** Versions that experiments pin have rows of weights of their users. */
async function pins(log: Log, { pins: topic }: Topics): Promise<Remainder> {
  const { start, end } = await log.bounds(topic, 0);
  const remains = end > start ? "weights in versions that experiments pin, until none needs them" : null;
  return { topic, remains, until: null };
}
