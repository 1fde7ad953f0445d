/** Finds where a task continues, and writes its position in each commit; `position.ts` decides. */

import { getLogger } from "@logtape/logtape";
import { TASK_KEY } from "../../../src/engine/task_codec.ts";
import { type Log, LogError, type LogRecord, type TopicIdentity } from "../../log/log.ts";
import { keptUntil, newestOf } from "../../log/reading.ts";
import { corruptRecord, remedyByCopy } from "../../log/unreadable.ts";
import type { Topics } from "../../topics/topics.ts";
import {
  changeOf,
  decodePosition,
  encodeInputs,
  INPUT_TOPICS,
  type InputTopic,
  type OwnPosition,
  positionOf,
  remedyByNewPrefix,
  type TopicIds,
  withoutStates,
} from "./position.ts";

const logger = getLogger(["meander", "task"]);

export interface InputsPlace {
  readonly partition: number;
  /** Number of partitions of the events. */
  readonly partitions: number;
  /** The consumer group whose offsets are compared. */
  readonly group: string;
}

/** Changes of the topics of a task. */
export interface InputChanges {
  /** Set if a topic was deleted or created again, so that positions do not refer to its present content. */
  readonly replaced: LogError | null;
  /** For people; set if a topic has more partitions, of which others write to the new ones. */
  readonly unread: string | null;
}

/** Watches the topics of a task. */
export interface InputWatch {
  /**
   * Changes of the topics since the task began.
   *
   * @param known current topics by name; missing ones count as unchanged
   */
  changesIn(known: ReadonlyMap<string, TopicIdentity | null>): InputChanges;
  /** Checks the topics now. @throws LogError `topic-mismatch` when one is not the one that the task began with */
  check(): Promise<void>;
}

/** The topics of a task, and where it continues in the topic of events. */
export class TaskInputs implements InputWatch {
  /** Offset of the first event to read. */
  readonly next: number;
  /** See `ReadResult.epoch`, of that event. */
  readonly epoch: number | undefined;
  /** Whether the group's offset differs, so that a commit is due. */
  readonly isAstray: boolean;
  /** Whether the task has never committed. */
  readonly isNew: boolean;
  /** Topics that were created again since the task's record, and have to be read from their start. */
  readonly anew: ReadonlySet<InputTopic>;
  readonly #log: Pick<Log, "identify">;
  readonly #topics: Topics;
  readonly #identities: ReadonlyMap<InputTopic, TopicIdentity>;
  readonly #ids: TopicIds;

  private constructor(
    log: Pick<Log, "identify">,
    topics: Topics,
    found: Pick<TaskInputs, "next" | "epoch" | "isAstray" | "isNew" | "anew">,
    identities: ReadonlyMap<InputTopic, TopicIdentity>,
  ) {
    this.next = found.next;
    this.epoch = found.epoch;
    this.isAstray = found.isAstray;
    this.isNew = found.isNew;
    this.anew = found.anew;
    this.#log = log;
    this.#topics = topics;
    this.#identities = identities;
    this.#ids = Object.fromEntries([...identities].map(([name, { id }]) => [name, id]));
  }

  /**
   * Finds where a task continues. The caller has fenced the partition.
   *
   * @throws LogError `topic-mismatch` when its record and the log contradict each other
   */
  static async open(
    log: Pick<Log, "identify" | "latest" | "read" | "bounds" | "committed" | "committedEpoch">,
    topics: Topics,
    { partition, partitions, group }: InputsPlace,
  ): Promise<TaskInputs> {
    const identities = new Map<InputTopic, TopicIdentity>();
    await Promise.all(INPUT_TOPICS.map(async (name) => {
      const identity = await log.identify(topics[name]);
      if (identity !== null) identities.set(name, identity);
    }));
    const { events, statistics } = topics;
    const now = identities.get("events");
    if (now === undefined) throw changeOf(events, { id: null, partitions }, null);
    const [own, committed, bounds] = await Promise.all([
      ownPosition(log, topics, partition),
      log.committed(group, events, partition),
      log.bounds(events, partition),
    ]);
    const isSame = own !== null &&
      changeOf(events, { id: own.ids.events ?? null, partitions: own.partitions }, now) === null;
    const at = { topic: events, partition, offset: own?.next ?? 0 };
    const epoch = isSame ? await log.committedEpoch?.(group, at) : undefined;
    const end = isSame ? await keptUntil(log, { ...at, epoch }) : bounds.end;
    const { next, remark } = positionOf({
      topic: events,
      partition,
      statistics,
      group,
      own,
      now,
      committed,
      bounds: { ...bounds, end },
    });
    if (remark !== null) logger.warn("task {partition} {remark}", { partition, remark });
    const anew = new Set<InputTopic>();
    for (const [name, identity] of identities) {
      const before = { id: own?.ids[name] ?? null, partitions: identity.partitions };
      const change = inputChangeOf(topics, name, before, identity);
      if (change === null) continue;
      if (isChangelog(name)) throw change;
      anew.add(name);
      logger.warn(
        "task {partition}: {topic} was created again: reading it from its start; what was learnt from the old one stays",
        { partition, topic: topics[name] },
      );
    }
    const found = { next, epoch, isAstray: remark !== null, isNew: own === null, anew };
    return new TaskInputs(log, topics, found, identities);
  }

  /** The header {@linkcode INPUTS} of the task's record, with the offset of the next event. */
  header(next: number): string {
    return encodeInputs(next, this.#ids);
  }

  changesIn(known: ReadonlyMap<string, TopicIdentity | null>): InputChanges {
    const unread: string[] = [];
    for (const [name, before] of this.#identities) {
      const topic = this.#topics[name];
      const now = known.get(topic);
      if (now === undefined) continue;
      const change = inputChangeOf(this.#topics, name, before, now);
      // A changelog with more partitions is the same to its tasks.
      if (change !== null && (now === null || before.id !== now.id)) {
        return { replaced: change, unread: null };
      }
      if (!now?.unread) continue;
      const all = now.partitions + now.unread;
      unread.push(`${topic} has ${all} partitions, ${now.unread} more than when the deployment began`);
    }
    if (unread.length === 0) return { replaced: null, unread: null };
    const what = "What producers put into those is not applied: it waits until retention drops it";
    return { replaced: null, unread: `${unread.join("; ")}. ${what}` };
  }

  async check(): Promise<void> {
    const known = INPUT_TOPICS.map(async (name) => {
      const topic = this.#topics[name];
      return [topic, await this.#log.identify(topic)] as const;
    });
    const { replaced } = this.changesIn(new Map(await Promise.all(known)));
    if (replaced !== null) throw replaced;
  }
}

/** Like {@linkcode changeOf}, with the remedy for this input. */
function inputChangeOf(
  topics: Topics,
  name: InputTopic,
  before: TopicIdentity,
  now: TopicIdentity | null,
): LogError | null {
  return changeOf(
    topics[name],
    before,
    now,
    (isChangelog(name) ? withoutStates : remedyByNewPrefix)(topics.events),
  );
}

/** Whether a task is restored from a topic. */
function isChangelog(name: InputTopic): boolean {
  return name === "state" || name === "statistics";
}

/**
 * Checks that the topic of events is the one that tasks have applied. On a copy of a deployment on another cluster it is
 * not, and whoever derives something from what tasks write would take that twice.
 *
 * @throws LogError `topic-mismatch` when it is another
 */
export async function checkEvents(
  log: Pick<Log, "identify" | "latest" | "read" | "bounds">,
  topics: Topics,
): Promise<void> {
  const { events, statistics } = topics;
  const [now, changelog] = await Promise.all([log.identify(events), log.identify(statistics)]);
  if (now === null) return;
  for (let partition = 0; partition < (changelog?.partitions ?? 0); partition++) {
    const own = await ownPosition(log, topics, partition).catch((error) => {
      if (error instanceof LogError && error.code === "corrupt") return null; // the task itself stops
      throw error;
    });
    if (own === null) continue;
    const change = inputChangeOf(topics, "events", { ...now, id: own.ids.events ?? null }, now);
    if (change !== null) throw change;
    return; // the others have the same
  }
}

/** The newest record of a task, which is the last of each of its commits. */
export async function ownRecord(
  log: Pick<Log, "latest" | "read" | "bounds">,
  { statistics }: Pick<Topics, "statistics">,
  partition: number,
): Promise<LogRecord | null> {
  return await newestOf(log, statistics, partition, TASK_KEY);
}

/** The position in the newest record of a task; `null` when there is none. @throws LogError `corrupt` */
export async function ownPosition(
  log: Pick<Log, "latest" | "read" | "bounds">,
  topics: Pick<Topics, "statistics">,
  partition: number,
): Promise<OwnPosition | null> {
  return positionIn(await ownRecord(log, topics, partition), partition);
}

/** The position in the record of a task; `null` when there is none. @throws LogError `corrupt` */
export function positionIn(record: LogRecord | null, partition: number): OwnPosition | null {
  if (record === null || record.value === null) return null;
  try {
    return decodePosition(record.headers);
  } catch (cause) {
    throw corruptRecord(`find where task ${partition} continues`, record, cause, remedyByCopy(record));
  }
}
