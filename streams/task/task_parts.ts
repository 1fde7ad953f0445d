/** The parts of a task. Opening them takes the partition over, and then restores its state. */

import { TaskState } from "../../src/engine/task_state.ts";
import { settle } from "../../src/options/option.ts";
import { RETRIEVAL_OPTIONS } from "../../src/retrieval/retrieval_options.ts";
import { canErase, indexesKeys } from "../log/capabilities.ts";
import { DELIVERY, type Delivery } from "../topics/delivery.ts";
import { tasksGroup } from "../topics/topics.ts";
import { CatalogueReader } from "./catalogue_reader.ts";
import { CommitPace, SnapshotPace } from "./pace/commit_pace.ts";
import { Committer } from "./committer.ts";
import { CarriedErasures } from "./erased_on.ts";
import { TaskExperiments } from "./experiments.ts";
import { EventReader } from "./inputs/event_reader.ts";
import { GivenLists } from "./inputs/given_lists.ts";
import { TaskInputs } from "./inputs/inputs.ts";
import type { TaskOpening } from "./options.ts";
import { Others } from "./others.ts";
import { Outbox } from "./outbox.ts";
import { Restore } from "./restoring/restore.ts";
import { RestoreMeter } from "./restoring/restore_meter.ts";
import type { StateStore } from "./store/state_store.ts";
import { TimeShare } from "./pace/time_share.ts";
import { UserTable } from "./user_table.ts";

/** Memory for users as objects, if the log has no index; others stay as bytes, a fraction of the size. */
const OBJECT_BYTES = 64 << 20;

/** What a task takes over from the generation that answers its events. */
export interface Followed {
  /** The answers that requests received; `null` = this task answers them. */
  readonly given: GivenLists | null;
  /** The users that it erases; `null` = none, or all erasures are events that are still there. */
  readonly erasures: CarriedErasures | null;
}

export interface TaskParts {
  readonly partition: number;
  readonly state: TaskState;
  readonly events: EventReader;
  readonly catalogue: CatalogueReader;
  readonly experiments: TaskExperiments;
  readonly others: Others;
  readonly users: UserTable;
  readonly outbox: Outbox;
  /** The local snapshot, if there is one. */
  readonly store: StateStore | null;
  readonly committer: Committer;
  readonly pace: CommitPace;
  readonly snapshots: SnapshotPace;
  readonly maxStateBytes: number;
  readonly delivery: Delivery;
  /** End of the events that the previous run may have answered without a commit. */
  readonly repeatsUntil: number;
  /** The topics that it reads. */
  readonly inputs: TaskInputs;
  /** Its partition of the events, for messages. */
  readonly place: string;
  /** Number of partitions of the events. */
  readonly partitions: number;
  /** What it takes over, in a build. */
  readonly followed: Followed;
  /** Disposed with the task: the writer, the local snapshot, the pinned versions, the reader of other partitions. */
  readonly owned: AsyncDisposableStack;
}

/** Begins to restore a task. A task that is opened with the restore closes it; otherwise the caller has to. */
export async function openRestore(opening: TaskOpening): Promise<Restore> {
  const { log, topics, partition, options, serving, variants, snapshot, giveWay, signal } = opening;
  const { meter = new RestoreMeter() } = opening;
  const makeState = () => new TaskState(options, serving, variants);
  return await Restore.open({ log, topics, partition, makeState, snapshot, meter, giveWay, signal });
}

async function partitionsOf({ log, topics: { events }, partitions }: TaskOpening): Promise<number> {
  return partitions ?? (await log.topics(events)).get(events)?.partitions ?? 1;
}

/** Takes over a partition, which fences any other owner, and restores its state. */
export async function openParts(opening: TaskOpening): Promise<TaskParts> {
  const { log, topics, partition, options, follows = [] } = opening;
  const { isAnswered = false, isLearnt, handover, surfaceTopics, encodeLists, encodeSamples } = opening;
  const { delivery = DELIVERY.value, othersTime: time = new TimeShare() } = opening;
  const group = tasksGroup(topics);
  await using opened = new AsyncDisposableStack();
  const owned = [topics.statistics, topics.state].map((topic) => ({ topic, partition }));
  const writer = opened.use(await log.writer(`${group}-${partition}`, [...owned, ...follows]));
  const partitions = await partitionsOf(opening);
  const inputs = await TaskInputs.open(log, topics, { partition, partitions, group });
  const restore = opening.restore ?? await openRestore(opening);
  const { state, store, ...restored } = await restore.end();
  opened.defer(async () => await store?.close());
  const given = isAnswered ? new GivenLists(log, topics.recommendations, partition) : null;
  if (given !== null) state.follow((offset) => given.take(offset));
  const erasures = new CarriedErasures(log, topics, partition, state.erased);
  // Otherwise it has the erasures from before it began, and later ones are events that it reads.
  if (inputs.isNew || canErase(log)) await erasures.follow();
  const shared = settle(RETRIEVAL_OPTIONS, options.retrieval).shared;
  const sharing = { partition, partitions, shared, time, anew: inputs.anew.has("signals") };
  const others = opened.use(await Others.open(log, topics.signals, state, sharing));
  const repeatsUntil = delivery === "at-least-once" ? (await log.bounds(topics.events, partition)).end : 0;
  const { counters } = state;
  const followed: Followed = { given, erasures: isAnswered && canErase(log) ? erasures : null };
  const outputs = { counters, isLearnt, handover, isAnswered, surfaceTopics, encodeLists, encodeSamples };
  const outbox = new Outbox({ log, topics, partition, partitions, ...outputs });
  const users = new UserTable(state, restored, outbox, { log, topics, partition });
  if (state.experiments.size > 0) await users.warmAll(); // their open impressions may need pinned versions
  const experiments = opened.use(await TaskExperiments.open(state, partition, opening.pins));
  const lineage = restored.lineage ?? crypto.randomUUID();
  const itemsApplied = inputs.anew.has("items") ? 0 : restored.itemsApplied;
  const common = { partition, partitions, state, outbox, users, store, inputs };
  return {
    ...common,
    experiments,
    others,
    delivery,
    repeatsUntil,
    followed,
    place: `${topics.events}/${partition}`,
    events: new EventReader(log, topics.events, partition, inputs),
    catalogue: new CatalogueReader(log, topics.items, itemsApplied, { state, outbox }),
    committer: new Committer({ ...common, topics, group, writer, lineage, giveWay: opening.giveWay }),
    pace: new CommitPace({ delivery, partition, partitions }),
    snapshots: new SnapshotPace(state.retrieval.state),
    maxStateBytes: opening.maxStateBytes ?? (indexesKeys(log) ? Infinity : OBJECT_BYTES),
    owned: opened.move(),
  };
}
