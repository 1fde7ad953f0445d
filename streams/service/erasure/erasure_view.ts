/**
 * The receipt of an erasure: what remains on which topic, and until when.
 *
 * @module
 */

import { canErase } from "../../log/capabilities.ts";
import type { Log } from "../../log/log.ts";
import { surfaceTopicsOn } from "../../topics/surfaces.ts";
import { generationsOf } from "../../topics/generations.ts";
import { firstTopics, generationTopics, type Topics } from "../../topics/topics.ts";
import type { ErasureState } from "./eraser.ts";
import type { IdleModel } from "./idle_models.ts";

/** What remains of a user on a topic. */
export interface Remainder {
  /** Name of the topic. */
  readonly topic: string;
  /** What remains; `null` = nothing. */
  readonly remains: string | null;
  /** Until when at most, milliseconds since the epoch; `null` = nothing remains, or no end is set. */
  readonly until: number | null;
}

/** How far an erasure is; `kept` = what is ours to rewrite has been, on a log that drops records by retention only. */
export interface ErasureView {
  /** How far it is. */
  readonly state: ErasureState | "kept";
  /** What remains, by topic. */
  readonly topics: readonly Remainder[];
}

/** How far an erasure is, as reported by whatever carries it out. */
export interface ErasureProgress {
  /** How far it is; `kept` as in {@linkcode ErasureView}. */
  readonly state: ErasureView["state"];
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

const IN_RECORDS = ["events", "recommendations", "samples", "rejected", "signals"] as const;
const REPLACED = ["parameters", "state", "lists", "statistics", "figures", "checkpoints"] as const;

/** What a session keeps of the user that it was. */
const ALIASES = "the id in aliases of sessions that were the user, until these are erased, too";
/** What `events` keep of a user. */
const NAMING =
  "the id in aliases of sessions that were the user, and where others took over from it, until these are erased, too";

/** A broker deletes no segment that it still writes to. */
const DROPPED_VERSIONS =
  "dropped versions: no reader sees them, and brokers delete their segments once these are full or old " +
  "(segment.bytes, segment.ms)";

/**
 * Views an erasure.
 *
 * @param progress as reported by the service; `null` if no process here knows, which counts as under way
 * @param now milliseconds since the epoch, from which the remaining time is computed once the event itself is gone
 */
export async function viewErasure(
  { log, topics }: { readonly log: Log; readonly topics: Topics },
  place: ErasurePlace,
  progress: ErasureProgress | null,
  now: number,
): Promise<ErasureView> {
  const { state, idle, named } = progress ?? { state: "under way", idle: [] };
  const pinned = await pins(log, topics);
  const surfaces = await surfaceTopicsOn(log, topics);
  if (progress !== null && state !== "kept" && canErase(log)) {
    const maybe = named === undefined ? "maybe " : "";
    const naming = named ?? new Set([topics.events, topics.state]);
    const remains = (topic: string) =>
      state === "under way"
        ? "records that are being removed"
        : naming.has(topic)
        ? `${maybe}${topic === topics.events ? NAMING : ALIASES}`
        : null;
    const names = [...IN_RECORDS, ...REPLACED].map((name) => topics[name]);
    const all = [...names, ...surfaces].map((topic) => ({ topic, remains: remains(topic), until: null }));
    return { state, topics: [...all, pinned] };
  }
  const { events } = topics;
  const asked = await log.read(events, place.partition, place.offset, { maxRecords: 1 });
  const since = asked.records.find(({ offset }) => offset === place.offset)?.time ?? now;
  const isKept = progress?.state === "kept";
  const remainders: Remainder[] = [];
  const replaced = new Set(REPLACED.map((name) => topics[name]));
  const names = [...IN_RECORDS, ...REPLACED].map((name) => topics[name]);
  for (const topic of [...names, ...surfaces]) {
    if (topic === topics.parameters && isKept) {
      remainders.push({ topic, remains: DROPPED_VERSIONS, until: null });
      continue;
    }
    const keepMs = await log.keepMs?.(topic) ?? null;
    const until = keepMs === null ? null : since + keepMs;
    const what = replaced.has(topic) ? "records that were replaced" : "records";
    const end = until === null ? "for ever: no retention is set" : "until the broker drops them";
    const notes = topic === topics.checkpoints
      ? idle.flatMap(checkpointNote)
      : topic === topics.state
      ? [`maybe ${ALIASES}`]
      : [];
    // The retention of records that are yet to be replaced begins then.
    remainders.push({
      topic,
      remains: [`${what}, ${end}`, ...notes].join("; "),
      until: notes.length > 0 ? null : until,
    });
  }
  const others = await otherGenerations(log, topics);
  return { state, topics: [...remainders, ...idle.flatMap(versionsNote), ...others, pinned] };
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
      `maybe states, samples and weights of generation ${number}, which does not serve, until it does, or is dropped: ` +
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
