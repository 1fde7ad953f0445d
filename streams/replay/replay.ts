/**
 * Replays a source through the whole loop in lockstep, so that the result depends only on the source, the options and
 * the seed.
 *
 * ```text
 *   feed → [ round of the task → learn its samples → publish → apply the new version ] → ... → flush → report
 * ```
 *
 * A round ends with the sample that fills a batch; the learner then trains on it, and the next round predicts with the
 * new version. When a replay is killed at any moment, the same command on the same log continues to the same result,
 * bit for bit: the task restarts at its last commit, the learner at its last checkpoint, the feeder at its last batch.
 */

import { isRecord } from "../../src/values/record.ts";
import { LEARNING_OPTIONS, type LearningOptions } from "../learning/options.ts";
import { settle } from "../../src/options/option.ts";
import { createHash } from "node:crypto";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { Learner } from "../../src/learner/learner.ts";
import { type LearnerOptions, learnerSettings } from "../../src/learner/learner_options.ts";
import { createKernels, type KernelChoice } from "../../src/nn/kernels/choose.ts";
import type { ModelKind } from "../../src/nn/models/core/kind.ts";
import { kindOf, type ModelConfigs, type ModelName } from "../../src/nn/models/registry.ts";
import type { Model } from "../../src/nn/models/core/model.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { Inspection } from "../../src/nn/models/core/panel.ts";
import { inspectUsers } from "../../src/users/inspection.ts";
import { REPLAY_MAX_JUMP_MS } from "../../src/users/event_clock.ts";
import type { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { encodeItemState } from "../../src/items/item_codec.ts";
import { chunkRecords, readChunks } from "../topics/chunks.ts";
import { Feeder } from "../feeders/feeder.ts";
import { Learning } from "../learning/learning.ts";
import type { Log, TopicSpec } from "../log/log.ts";
import { ParameterSubscriber } from "../topics/parameters.ts";
import { RejectionSummary } from "./rejections.ts";
import { SampleHandover } from "../topics/sample_handover.ts";
import type { SourceRecord } from "../sources/source.ts";
import { Task } from "../task/task.ts";
import { topicNames, type Topics, topicSpecs } from "../topics/topics.ts";

/** Number of users whose states the report shows, the most recently active ones. */
const INSPECTED_USERS = 200;

/** Options of {@linkcode replay}. */
export interface ReplayOptions<N extends ModelName = ModelName> {
  /** The model: its name, or an implementation that is not in the registry. */
  readonly model: N | ModelKind;
  /** Options of the model. */
  readonly modelConfig: ModelConfigs[N];
  /** Backend of the model; `auto` is the fastest that this machine runs. @default {"auto"} */
  readonly kernels?: KernelChoice | undefined;
  /** Options of the task. */
  readonly task: TaskOptions;
  /** Options of the learner. */
  readonly learner: LearnerOptions;
  /** Options of the learner's runtime. */
  readonly learning?: LearningOptions | undefined;
  /** Memory for user states, bytes; the least recently active users are evicted. @default {no bound} */
  readonly stateBytes?: number | undefined;
  /** Most events per round. @default {1024} */
  readonly roundEvents?: number | undefined;
  /** Number of events after which the source counts as ended. */
  readonly limit?: number | undefined;
  /**
   * Whether consumed records stay on the log: `true` for a durable log; `false` saves memory with an in-memory log.
   *
   * @default {true}
   */
  readonly retain?: boolean | undefined;
  /** Everything the result depends on, as JSON. A log made with another manifest is rejected. */
  readonly manifest: string;
  /** Prefix of the topics. @default {"meander."} */
  readonly prefix?: string | undefined;
  /** Called after every round. */
  readonly onRound?: (replay: ReplayView) => void;
  /** Ends the replay between two rounds. */
  readonly signal?: AbortSignal | undefined;
}

/** A replay, during and after its run. */
export interface ReplayView {
  /** The state of the task. */
  readonly task: TaskState;
  /** The learner with its evaluated predictions. */
  readonly learning: Learning;
  /** Events read by the task. */
  readonly events: number;
  /** Users with a committed state. */
  readonly users: number;
}

/** The model's panels of the users' states after a number of rows. */
export interface InspectionMark extends Inspection {
  /** Rows evaluated by then. */
  readonly rows: number;
}

/** The result of a replay. */
export interface ReplayResult extends ReplayView {
  /** @internal The model's panels of the users' states during this run, if it has any; the last one is from its end. */
  readonly inspections: readonly InspectionMark[];
  /** Events read by earlier runs on this log. */
  readonly resumedFrom: number;
  /** Rejected records, by code. */
  readonly rejections: RejectionSummary;
  /** Hexadecimal SHA-256 of the states of users, items and retrieval, of all samples in order, and of the learner. */
  readonly digests: { readonly states: string; readonly samples: string; readonly parameters: string };
}

/** Number of batches between two panels of the states. */
const INSPECTION_BATCHES = 20;

const MANIFEST_KEY = "replay-manifest";

/**
 * Replays a whole source through events, states, lists, samples and learning. The result depends only on the source,
 * the options and the seed; a killed replay continues from its log to the same result.
 *
 * @param log written by the replay; with a durable log, a run continues an interrupted one
 * @returns the evaluated, learnt and rejected records, with digests of states, samples and parameters
 * @throws RangeError when the log holds a replay with another manifest
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog, openSource, PROFILES, replay } from "@meander/meander";
 *
 * const task = PROFILES.meander;
 * await using log = new MemoryLog();
 * const { learning, events } = await replay(log, openSource("meander", "fixtures/shop"), {
 *   model: "base", modelConfig: {}, task, learner: { schema: task.schema },
 *   limit: 1000, manifest: "{}",
 * });
 * assert.equal(events, 1000);
 * console.log(learning.validation.rows.report());
 * ```
 */
export async function replay<N extends ModelName>(
  log: Log,
  source: AsyncIterable<SourceRecord>,
  options: ReplayOptions<N>,
): Promise<ReplayResult> {
  const topics = topicNames(options.prefix);
  await log.createTopics(specs(topics));
  await checkManifest(log, topics, options.manifest);
  await using lockstep = await Lockstep.open(log, topics, source, options);
  const resumedFrom = lockstep.view.events;
  await lockstep.run();
  const { view, inspections, rejections } = lockstep;
  return { ...view, inspections, resumedFrom, rejections, digests: await lockstep.digests() };
}

/** The parts of a replay, which run in turn. */
interface Parts {
  readonly log: Log;
  readonly topics: Topics;
  readonly serving: ServingModel;
  readonly learning: Learning;
  readonly subscriber: ParameterSubscriber;
  readonly task: Task;
  readonly feeder: Feeder;
  /** Whether consumed records stay. */
  readonly retain: boolean;
  readonly owned: AsyncDisposableStack;
}

/** Runs the parts of a replay one after another. */
class Lockstep<N extends ModelName> implements AsyncDisposable {
  readonly rejections = new RejectionSummary();
  readonly inspections: InspectionMark[] = [];
  readonly #parts: Parts;
  readonly #options: ReplayOptions<N>;

  private constructor(parts: Parts, options: ReplayOptions<N>) {
    this.#parts = parts;
    this.#options = options;
  }

  static async open<N extends ModelName>(
    log: Log,
    topics: Topics,
    source: AsyncIterable<SourceRecord>,
    options: ReplayOptions<N>,
  ): Promise<Lockstep<N>> {
    const { retain = true, limit, stateBytes } = options;
    const k = learnerSettings(options.learner).embeddingWidth;
    const serving = new ServingModel(makeModel(options, k), options.task.schema, k);
    const learner = new Learner(makeModel(options, k), options.learner);
    const handover = new SampleHandover();
    const learningOptions = { trimSamples: !retain, handover, ...options.learning };
    const taskOptions = { maxJumpMs: REPLAY_MAX_JUMP_MS, ...options.task };
    const runtime = { handover, maxStateBytes: stateBytes };
    await using opened = new AsyncDisposableStack();
    const learning = opened.use(await Learning.open(log, topics, learner, learningOptions));
    const task = opened.use(
      await Task.open({ log, topics, partition: 0, options: taskOptions, serving, ...runtime }),
    );
    const feeder = opened.use(await Feeder.open(log, topics, source, { limit }));
    const subscriber = new ParameterSubscriber(log, topics.parameters, serving);
    const owned = opened.move();
    return new Lockstep({ log, topics, serving, learning, subscriber, task, feeder, retain, owned }, options);
  }

  get view(): ReplayView {
    const { task, learning } = this.#parts;
    return { task: task.state, learning, events: eventsRead(task.state), users: task.users.size };
  }

  /** Replays everything on the log and in the source. */
  async run(): Promise<void> {
    const { task } = this.#parts;
    const limits = {
      rows: settle(LEARNING_OPTIONS, this.#options.learning).batchRows,
      events: this.#options.roundEvents ?? 1024,
    };
    await this.#learn();
    for (let batches = 0;;) {
      this.#options.signal?.throwIfAborted();
      if (!(await task.round(limits)).complete) {
        if (await this.#feed()) continue;
        break;
      }
      await this.#learn();
      if (batches++ % INSPECTION_BATCHES === 0) this.#inspect();
      this.#options.onRound?.(this.view);
    }
    await task.flush();
    await this.#learn(true);
    await this.#noteRejections();
    this.#inspect();
    this.#options.onRound?.(this.view);
  }

  async digests(): Promise<ReplayResult["digests"]> {
    const { task, learning } = this.#parts;
    return {
      states: await stateDigest(task),
      samples: learning.validation.digest,
      parameters: createHash("sha256").update(learning.learner.encode()).digest("hex"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.owned.disposeAsync();
  }

  /** Learns the available samples, and applies the new versions. @param isLast whether a partial batch counts */
  async #learn(isLast = false): Promise<void> {
    await this.#parts.learning.drain(isLast);
    await this.#parts.subscriber.update();
  }

  /** Puts more events on the log. @returns whether there were any */
  async #feed(): Promise<boolean> {
    const { log, topics, task, feeder, retain } = this.#parts;
    await this.#noteRejections();
    if (!retain) await trimConsumed(log, topics, task);
    if (await feeder.feed()) return true;
    if (!task.hasMerges) return false;
    await task.commit(); // which writes them
    return true;
  }

  async #noteRejections(): Promise<void> {
    const { log, topics, retain } = this.#parts;
    await this.rejections.update(log, topics.rejected, !retain);
  }

  #inspect(): void {
    const { task: { state }, serving, learning } = this.#parts;
    const found = inspectUsers(state.memory.newest(INSPECTED_USERS), serving, {
      stateOf: (user) => state.models.recurrentState(user),
    });
    if (found !== null) this.inspections.push({ rows: learning.validation.judged, ...found });
  }
}

function eventsRead({ counters }: TaskState): number {
  return counters.events + counters.duplicates + counters.reapplied;
}

function makeModel<N extends ModelName>(options: ReplayOptions<N>, k: number): Model {
  const sizes = modelSizes(options.task.schema, k);
  const random = mulberry32(options.learner.seed ?? 0);
  return kindOf(options.model).create(sizes, options.modelConfig, random, createKernels(options.kernels));
}

/** SHA-256 of the records of all users and items, by id, and of the retrieval state. */
async function stateDigest(task: Task): Promise<string> {
  const hash = createHash("sha256");
  for await (const [id, record] of task.users.records()) hash.update(id).update(record);
  for (const item of [...task.state.catalogue.items()].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    hash.update(item.id).update(encodeItemState(item));
  }
  hash.update(task.state.retrieval.state.encode());
  return hash.digest("hex");
}

/**
 * A replayed catalogue is a history: each record applies at its position among the events, so none may be compacted.
 */
function specs(topics: Topics): TopicSpec[] {
  return topicSpecs(topics, 1).map((spec) =>
    spec.name === topics.items ? { ...spec, cleanup: "delete" } : spec
  );
}

async function trimConsumed(log: Log, topics: Topics, task: Task): Promise<void> {
  await log.trim(topics.events, 0, task.committed);
  await log.trim(topics.items, 0, task.catalogue.committed);
  const { end } = await log.bounds(topics.recommendations, 0);
  await log.trim(topics.recommendations, 0, end);
}

async function checkManifest(log: Log, topics: Topics, manifest: string): Promise<void> {
  const known = await readChunks(log, topics.checkpoints, MANIFEST_KEY);
  if (known === null) {
    await log.append(chunkRecords(topics.checkpoints, MANIFEST_KEY, new TextEncoder().encode(manifest), 0));
    return;
  }
  const differences = differing(JSON.parse(new TextDecoder().decode(known)), JSON.parse(manifest), "");
  if (differences.length > 0) {
    throw new RangeError(
      `Cannot resume with this log: it holds another replay: ${
        differences.join("; ")
      }; use another --log-path`,
    );
  }
}

/** Describes where two JSON values differ. */
function differing(known: unknown, wanted: unknown, path: string): string[] {
  if (isRecord(known) && isRecord(wanted)) {
    const keys = [...new Set([...Object.keys(known), ...Object.keys(wanted)])];
    return keys.flatMap((key) => differing(known[key], wanted[key], path === "" ? key : `${path}.${key}`));
  }
  const [was, is] = [known, wanted].map((value) => value === undefined ? "not set" : JSON.stringify(value));
  return was === is ? [] : [`${path} is ${was}, not ${is}`];
}
