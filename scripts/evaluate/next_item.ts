/**
 * The progressive next-item protocol: before each behaviour, the task is asked for a list of items that users have
 * touched so far, then it learns the behaviour; its blend, its sources and the baselines are treated the same.
 * docs/reference/protocols.md has the exact rules.
 */

import process from "node:process";
import { REPLAY_MAX_JUMP_MS } from "../../src/users/event_clock.ts";
import type { InteractionEvent, ItemRecord, MergeEvent, RequestEvent } from "../../src/events/event.ts";
import { type ActionPolicies, DEFAULT_ACTIONS } from "../../src/features/actions.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { TASK_OPTIONS, type TaskOptions } from "../../src/engine/task_options.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import type { Source } from "../../src/retrieval/sources/source.ts";
import type { CandidateOrder } from "../../src/scorer/ordering.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { type Config, taskOptions } from "../../streams/config/config.ts";
import { sortByTime } from "../../streams/sources/sort_by_time.ts";
import type { Baseline } from "./baselines/baseline.ts";
import { createBaselines } from "./baselines/registry.ts";
import { listOfBlend, listOfSource } from "./contestants.ts";
import { Judgements } from "./judgements.ts";
import { Learning, PROTOCOL_MODEL } from "./learning.ts";
import { Numbers, People } from "./people.ts";
import { byUserAndLine, stepsOf } from "./steps.ts";
import type { Stream } from "./stream.ts";
import { checkSurvey, NothingToJudge, type Survey, surveyOf } from "./survey.ts";
import { type IsTarget, type Positive, targetsOf } from "./targets.ts";

/** Behaviours per commit. */
const COMMIT_EVENTS = 256;
/** Most items that a request may exclude. */
const MAX_EXCLUDED = 10_000;
const BLEND: CandidateOrder = "blend";

export interface NextItemOptions {
  readonly stream: Stream;
  /** Overrides of the stream's profile, as in a replay. @default {none} */
  readonly config?: Config | undefined;
  /** The model to train alongside; without one, only retrieval ranks. */
  readonly model?: ModelName | undefined;
  /** Length of a list, at most 255. @default {20} */
  readonly count?: number | undefined;
  /** Whether a stream that is out of order is first sorted as a whole; otherwise it is refused. @default {true} */
  readonly sorts?: boolean | undefined;
  /** Behaviours after which to stop. */
  readonly limit?: number | undefined;
  /** Most behaviours to judge, drawn at random. @default {200000} */
  readonly queries?: number | undefined;
  /** What is judged. @default {what the blend learns from} */
  readonly positives?: readonly Positive[] | undefined;
  /** Whether a user's first behaviour is not judged. @default {as the stream has it} */
  readonly knownUsers?: boolean | undefined;
  /** Whether lists leave out items that the user had. @default {unless users return to items, as configured or observed} */
  readonly withoutOwn?: boolean | undefined;
  /** Whether the blend and each source are also judged alone. @default {true} */
  readonly sources?: boolean | undefined;
  /** Methods to compare with. @default {those of the registry} */
  readonly baselines?: readonly Baseline[] | undefined;
  /** Seed of the draw of queries, and of a model. @default {0} */
  readonly seed?: number | undefined;
  /** Called every 2,000 behaviours. */
  readonly onProgress?: (done: number, of: number, judgements: Judgements) => void;
}

export interface NextItemResult {
  readonly survey: Survey;
  readonly judgements: Judgements;
  /** Whether lists left out items that the user had. */
  readonly withoutOwn: boolean;
  /** Behaviours that were applied. */
  readonly interactions: number;
  /**
   * Processor time of the engine, seconds: that of the process, split in proportion to wall-clock time. Reading it
   * around each request would take longer than many a request.
   */
  readonly cpuSeconds: { readonly requests: number; readonly behaviours: number };
  /** The state at the end. */
  readonly task: TaskState;
}

/** Runs the protocol. @throws NothingToJudge */
export async function nextItem(options: NextItemOptions): Promise<NextItemResult> {
  const protocol = protocolOf(options);
  const survey = await surveyed(options, protocol);
  const run = begin(options, protocol, survey);
  const begun = { wall: performance.now(), cpu: process.cpuUsage() };
  await judgeAndLearn(options, protocol, survey, run);
  const { user, system } = process.cpuUsage(begun.cpu);
  const busy = (user + system) / 1e6 / (performance.now() - begun.wall - run.wall.waiting);
  return {
    survey,
    judgements: run.judgements,
    withoutOwn: run.withoutOwn,
    interactions: run.behaviours,
    cpuSeconds: { requests: busy * run.wall.requests, behaviours: busy * run.wall.behaviours },
    task: run.task,
  };
}

/** Derived from the stream and its configuration. */
interface Protocol {
  readonly task: TaskOptions;
  /** What orders lists. */
  readonly ranking: string;
  readonly actions: ActionPolicies;
  readonly isTarget: IsTarget;
  readonly knownUsers: boolean;
}

function protocolOf({ stream, config = {}, model = PROTOCOL_MODEL, ...options }: NextItemOptions): Protocol {
  const profile = taskOptions(stream.profile, config, model);
  const { actions = DEFAULT_ACTIONS, ranking = TASK_OPTIONS.ranking.value } = profile;
  return {
    // Lists requested here were never shown.
    task: { maxJumpMs: REPLAY_MAX_JUMP_MS, ...profile, impressions: "logged" },
    ranking,
    actions,
    isTarget: stream.isHeld ?? targetsOf(actions, options.positives ?? stream.positives),
    knownUsers: options.knownUsers ?? stream.knownUsers ?? false,
  };
}

/** @throws NothingToJudge */
async function surveyed(
  { stream, limit = Infinity, sorts }: NextItemOptions,
  { actions, isTarget, knownUsers }: Protocol,
): Promise<Survey> {
  const survey = await surveyOf(stream.open(), { actions, isTarget, knownUsers, limit });
  checkSurvey(survey, stream.name, actions);
  if (survey.unordered > 0 && sorts === false) {
    throw new NothingToJudge(`${survey.unordered} events of ${stream.name} are out of order`);
  }
  return survey;
}

/** An untrained run. */
function begin(
  { stream, config = {}, model, seed = 0, queries = 200_000, ...options }: NextItemOptions,
  { task, ranking, isTarget, knownUsers }: Protocol,
  survey: Survey,
): Run {
  const revisits = task.retrieval?.revisits ?? survey.comesBack;
  const { withoutOwn = !revisits } = options;
  // The bank and the pair head are trained alongside, too.
  const hasHead = ranking === "auto" && task.retrieval?.head === true;
  const learns = model !== undefined || hasHead || (task.learnNext ?? 0) > 0;
  const learning = new Learning(model, task, config, seed);
  const run = new Run(new TaskState(task, learning.serving), {
    isTarget,
    knownUsers,
    seed,
    ranking,
    withoutOwn,
    learning: learns ? learning : null,
    sources: options.sources ?? true,
    baselines: options.baselines ?? createBaselines(withoutOwn),
    count: options.count ?? 20,
    share: Math.min(1, queries / survey.targets),
  });
  // The blend learns only once lists are requested, which here happens when all is learnt.
  const { ordering } = run.task.retrieval;
  if (stream.isHeld !== undefined) ordering.noteRequest();
  if (stream.isHeld !== undefined && ranking === "auto") ordering.noteStackRequest();
  return run;
}

/** Judges and learns the stream, behaviour by behaviour. */
async function judgeAndLearn(
  { stream, limit = Infinity, onProgress }: NextItemOptions,
  { actions }: Protocol,
  survey: Survey,
  run: Run,
): Promise<void> {
  const source = stream.open();
  const steps = stepsOf(survey.unordered > 0 ? sortByTime(source) : source);
  for await (const { items, events, interaction } of stream.tiesByUser ? byUserAndLine(steps) : steps) {
    for (const item of items) run.know(item);
    const known = interaction !== null && Object.hasOwn(actions, interaction.action) ? interaction : null;
    if (known !== null && run.behaviours >= limit) break;
    if (known !== null) await run.judge(known);
    const isHeld = interaction !== null && stream.isHeld?.(interaction) === true;
    run.apply(isHeld ? events.slice(0, -1) : events);
    if (known !== null && !isHeld) run.learn(known);
    if (run.behaviours % 2000 === 0) onProgress?.(run.behaviours, survey.interactions, run.judgements);
  }
}

interface RunOptions {
  readonly isTarget: IsTarget;
  /** What orders lists, which names the engine on the leaderboard. */
  readonly ranking: string;
  readonly knownUsers: boolean;
  /** The learner alongside; `null` = none. */
  readonly learning: Learning | null;
  readonly sources: boolean;
  readonly baselines: readonly Baseline[];
  readonly withoutOwn: boolean;
  readonly count: number;
  readonly seed: number;
  /** Share of the targets that is judged. */
  readonly share: number;
}

/** The protocol, behaviour by behaviour. */
class Run {
  readonly task: TaskState;
  readonly judgements: Judgements;
  readonly withoutOwn: boolean;
  /** Behaviours so far. */
  behaviours = 0;
  /** Milliseconds in the engine, and waiting for methods that run in other processes. */
  readonly wall = { requests: 0, behaviours: 0, waiting: 0 };
  readonly #options: RunOptions;
  /** Sources that can answer alone. */
  readonly #sources: readonly Source[];
  /** Whether the blend is judged in addition to the configured ranking. */
  readonly #hasBlend: boolean;
  readonly #users = new Numbers();
  readonly #items = new Numbers();
  readonly #people = new People();
  /** By item: its behaviours. */
  readonly #counts: number[] = [];
  /** Records of items that nobody has touched yet. */
  readonly #untouched = new Map<string, ItemRecord>();
  /** By item: the last query for which it was excluded. */
  readonly #refused: number[] = [];
  /** By index in the catalogue: the item's number + 1; 0 = nobody has touched it. */
  readonly #numbers: number[] = [];
  readonly #out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  #offset = 0;
  #targets = 0;

  constructor(task: TaskState, options: RunOptions) {
    this.task = task;
    this.#options = options;
    this.withoutOwn = options.withoutOwn;
    const { sources } = task.retrieval;
    this.#sources = options.sources
      ? sources.filter((source) => !options.withoutOwn || !source.judgesReturns)
      : [];
    this.#hasBlend = options.sources && options.ranking !== BLEND;
    this.judgements = new Judgements([
      options.ranking,
      ...this.#hasBlend ? [BLEND] : [],
      ...this.#sources.map(({ name }) => `source: ${name}`),
      ...options.baselines.map(({ name }) => name),
    ]);
  }

  /** Adds a record of the catalogue. Items enter it when a user first touches them, and cannot be listed before. */
  know(record: ItemRecord): void {
    if (this.#items.get(record.item) === undefined) this.#untouched.set(record.item, record);
    else this.task.applyItem(record);
  }

  /** Asks every method for a list before a behaviour is learnt, if it is judged. */
  async judge(event: InteractionEvent): Promise<void> {
    const { isTarget, knownUsers, share, seed } = this.#options;
    const user = this.#users.of(event.user);
    const past = this.#people.of(user);
    if (!isTarget(event) || (knownUsers && past.count === 0)) return;
    if (share < 1 && drawn(this.#targets++, seed) >= share) return;
    const item = this.#items.get(event.item) ?? -1;
    const query = this.judgements.add({
      at: this.behaviours,
      user,
      userAge: past.count,
      itemAge: this.#counts[item] ?? 0,
      isReturn: past.items.has(item),
    });
    const own = this.withoutOwn ? [...past.items] : [];
    for (const each of own) this.#refused[each] = query;
    this.#askTask(event, query, own);
    await this.#askOthers(event, query);
  }

  /** Applies the events up to and including a behaviour. */
  apply(events: readonly Parameters<TaskState["apply"]>[0][]): void {
    const { task } = this;
    const started = performance.now();
    for (const event of events) {
      if (event.type === "merge") this.#known(event);
      if (event.type === "interaction") {
        const record = this.#untouched.get(event.item);
        if (record !== undefined) task.applyItem({ ...record, time: event.time });
        this.#untouched.delete(event.item);
      }
      task.apply(event, this.#offset++, this.#out);
    }
    this.#options.learning?.learn(this.#out);
    this.#clear();
    this.wall.behaviours += performance.now() - started;
  }

  /** Behaviours merged from elsewhere are the user's, too; no method learns from them. */
  #known({ user, behaviours }: MergeEvent): void {
    for (const { item } of behaviours) this.#people.add(this.#users.of(user), this.#items.of(item));
  }

  /** Teaches the baselines a behaviour. */
  learn(event: InteractionEvent): void {
    const [user, item] = [this.#users.of(event.user), this.#items.of(event.item)];
    const { newest } = this.#people.of(user);
    const isTarget = this.#options.isTarget(event);
    for (const baseline of this.#options.baselines) {
      baseline.learn({ user, item, time: event.time, isTarget, before: newest });
    }
    this.#people.add(user, item);
    this.#counts[item] = (this.#counts[item] ?? 0) + 1;
    this.behaviours++;
  }

  #askTask({ user, time, item }: InteractionEvent, query: number, own: readonly number[]): void {
    const { task } = this;
    const exclude = own.slice(-MAX_EXCLUDED).map((each) => this.#items.id(each));
    const { count } = this.#options;
    const request: RequestEvent = { type: "request", request: `q${query}`, count, user, time, exclude };
    const started = performance.now();
    task.apply(request, this.#offset++, this.#out);
    this.wall.requests += performance.now() - started;
    const { items } = this.#out.recommendations.pop()!;
    this.#note(query, 0, items.map((each) => each.item), item);
    if (this.#hasBlend) this.#note(query, 1, listOfBlend(task, request), item);
  }

  async #askOthers({ user, time, item }: InteractionEvent, query: number): Promise<void> {
    const { count } = this.#options;
    const sources = this.#sources;
    const first = this.#hasBlend ? 2 : 1;
    const may = (index: number) => this.#may(this.#numberAt(index) - 1, query);
    for (const [s, source] of sources.entries()) {
      this.#note(query, first + s, listOfSource(this.task, source, count, may), item);
    }
    const number = this.#users.of(user);
    const { newest } = this.#people.of(number);
    const target = this.#items.get(item) ?? -1;
    for (const [b, baseline] of this.#options.baselines.entries()) {
      const may = (other: number) => this.#may(other, query);
      const listed = baseline.recommend({ user: number, time, before: newest, count, may });
      const list = listed instanceof Promise ? await this.#waited(listed) : listed;
      this.judgements.list(query, first + sources.length + b, list, target, this.#bits);
    }
  }

  async #waited<T>(answer: Promise<T>): Promise<T> {
    const started = performance.now();
    const value = await answer;
    this.wall.waiting += performance.now() - started;
    return value;
  }

  #may(item: number, query: number): boolean {
    return item >= 0 && this.#refused[item] !== query;
  }

  #numberAt(index: number): number {
    const known = this.#numbers[index];
    if (known !== undefined && known > 0) return known;
    return this.#numbers[index] = 1 + (this.#items.get(this.task.catalogue.at(index).id) ?? -1);
  }

  /** Records a list of the engine; items that nobody has touched have no number. */
  #note(query: number, method: number, list: readonly string[], item: string): void {
    const numbers = list.map((id) => this.#items.get(id) ?? -1);
    this.judgements.list(query, method, numbers, this.#items.get(item) ?? NaN, this.#bits);
  }

  readonly #bits = (item: number): number =>
    Math.log2((this.behaviours + this.#items.size) / (1 + (this.#counts[item] ?? 0)));

  #clear(): void {
    const { task } = this;
    this.#out.samples.length = 0;
    this.#out.recommendations.length = 0;
    this.#out.forgotten.length = 0;
    task.dirtyUsers.clear();
    task.dirtyItems.clear();
    if (this.behaviours % COMMIT_EVENTS !== 0) return;
    task.numbers.changes();
    task.retrieval.state.changes();
  }
}

/** A number in [0, 1) that depends only on the place and the seed. */
function drawn(place: number, seed: number): number {
  let x = Math.imul(place ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(seed + 1, 0xc2b2ae35);
  x = Math.imul(x ^ x >>> 16, 0x7feb352d);
  x = Math.imul(x ^ x >>> 15, 0x846ca68b);
  return ((x ^ x >>> 16) >>> 0) / 2 ** 32;
}
