/**
 * A closed loop: simulated people open pages, the engine answers on its log, and they act on the lists that it
 * really served; so what it learns moves the click rate. Two variants share the people in an experiment.
 *
 * ```text
 *   world: who comes ──request──> events ─> task ─> recommendation ──shown──> world: what they do
 *                                   ^                                                     │
 *                                   └───────────── interactions, when their time comes <──┘
 * ```
 *
 * In lockstep, on event time: same options, same figures. At each page the world also computes what the best
 * and a random list would have got *from this person at this moment*, so every variant is measured on its own people.
 */

import { Learning } from "../../streams/learning/learning.ts";
import { type LearningOptions, serviceLearning } from "../../streams/learning/options.ts";
import { setImmediate as immediate } from "node:timers/promises";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { REPLAY_MAX_JUMP_MS } from "../../src/users/event_clock.ts";
import type { Experiment } from "../../src/assignment/experiment.ts";
import { splitShares } from "../../src/assignment/assignment.ts";
import type { ExperimentDraft } from "../../src/assignment/changes.ts";
import { SampleRatio } from "../../src/experiments/sample_ratio.ts";
import { ExperimentTotals } from "../../src/experiments/totals.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { Learner } from "../../src/learner/learner.ts";
import { type LearnerOptions, learnerSettings } from "../../src/learner/learner_options.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { createModel, type ModelConfigs, type ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { itemRecord } from "../../fixtures/simulator/item.ts";
import { BEHAVIOUR } from "../../fixtures/simulator/person.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { Schedule } from "../../fixtures/simulator/schedule.ts";
import { LIST_LENGTH } from "../../fixtures/simulator/shop.ts";
import { createWorld, hourOf, type Visit, type World } from "../../fixtures/simulator/world.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { ParameterSubscriber } from "../../streams/topics/parameters.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, type Topics, topicSpecs } from "../../streams/topics/topics.ts";

export interface SimulationOptions<N extends ModelName = ModelName> {
  /** Requests to answer. */
  readonly requests: number;
  /** Seed of the world, of the clicks and of the engine. */
  readonly seed: number;
  /** Number of people; each makes about fourteen requests in four weeks. @default {requests / 14} */
  readonly users?: number | undefined;
  /** Number of items ever on sale. @default {that of createWorld} */
  readonly items?: number | undefined;
  /** Items a request asks to choose from: `all` that are on sale, or what the engine retrieves. @default {"all"} */
  readonly candidates?: "all" | "retrieved" | undefined;
  readonly experiment: ExperimentDraft;
  /** Name of the deployment's model. */
  readonly model: N;
  readonly modelConfig: ModelConfigs[N];
  readonly task: TaskOptions;
  readonly learner: LearnerOptions;
  /** Options of the learner's runtime. */
  readonly learning?: LearningOptions | undefined;
  /** Prefix of the topics. @default {"meander."} */
  readonly prefix?: string | undefined;
  /** Keep what was consumed (a durable log), or drop it (a memory log). @default {true} */
  readonly retain?: boolean | undefined;
  /** Called after every request. */
  readonly onRequest?: (simulation: SimulationView) => void;
  /** Ends the simulation early, between two requests. */
  readonly signal?: AbortSignal | undefined;
}

/** A page that was answered, as the world judges it. */
export interface ServedPage {
  /** Index of the variant among those shown; −1 = in no experiment. */
  readonly variant: number;
  /** Event time. */
  readonly time: number;
  readonly clicks: number;
  /** Items on it. */
  readonly rows: number;
  /** Mean true probability of a click on its items. */
  readonly served: number;
  /** The same for the best list for this person at this moment. */
  readonly best: number;
  /** The same for a random list, on average. */
  readonly random: number;
  /** How much more the best list's items add to the logit of a click, by part (`PARTS` of person.ts). */
  readonly lacks: readonly number[];
}

/** A view of a simulation, during and after its run. */
export interface SimulationView {
  /** Pages in order. */
  readonly pages: readonly ServedPage[];
  /** The experiment's figures by variant. */
  readonly totals: ExperimentTotals;
  /** The test of its split. */
  readonly ratio: SampleRatio;
  /** The learner and what it judged. */
  readonly learning: Learning;
}

/** Requests after which consumed records are dropped. */
const TRIM_EVERY = 500;
/** Requests after which the learner takes the samples so far. */
const LEARN_EVERY = 8;

/** Runs a simulation until all requests were made or the world has ended. The log must be new: its topics are created. */
export async function simulate<N extends ModelName>(
  log: Log,
  options: SimulationOptions<N>,
): Promise<SimulationView> {
  const { requests, seed, users = Math.ceil(requests / 14), items, signal, onRequest } = options;
  const world = createWorld({ seed, users, items });
  const topics = topicNames(options.prefix);
  await log.createTopics(topicSpecs(topics, 1));
  const registry = new ExperimentRegistry(log, topics, { models: [options.model], now: () => world.start });
  const experiment = await registry.start(options.experiment);
  await using engine = await Engine.open(log, topics, experiment, options);
  const clock = new Shopkeeper(world, createRandom(seed, 1001), options.candidates ?? "all");
  const pages: ServedPage[] = [];
  const view = { pages, totals: engine.totals, ratio: engine.ratio, learning: engine.learning };
  while (pages.length < requests && signal?.aborted !== true) {
    const visit = world.next();
    if (visit === null) break;
    const answer = await engine.answer(clock.before(visit, pages.length), clock.itemsUntil(visit.time));
    pages.push(clock.show(visit, answer, engine.variantOf(answer)));
    if (pages.length % LEARN_EVERY === 0) {
      await engine.learn();
      await immediate(); // a log in memory never waits, so signals would not be received
    }
    if (options.retain === false && pages.length % TRIM_EVERY === 0) await engine.trim();
    onRequest?.(view);
  }
  await engine.finish();
  return view;
}

/** The simulated people's actions, as events. */
class Shopkeeper {
  readonly #world: World;
  readonly #random: () => number;
  readonly #candidates: "all" | "retrieved";
  readonly #coming = new Schedule<Event>();
  #items = 0;

  constructor(world: World, random: () => number, candidates: "all" | "retrieved") {
    this.#world = world;
    this.#random = random;
    this.#candidates = candidates;
  }

  /** The records of the items that exist by now and were not returned yet. */
  *itemsUntil(time: number) {
    for (let item = this.#world.items[this.#items]; item !== undefined && item.born <= time;) {
      yield itemRecord(item);
      item = this.#world.items[++this.#items];
    }
  }

  /** The events up to a visit, and its request. */
  before(visit: Visit, number: number): Event[] {
    const { user, time, page, newUser } = visit;
    const events: Event[] = [];
    while (this.#coming.time <= time) events.push(this.#coming.take()!);
    if (newUser) events.push({ type: "profile", user, time, attributes: this.#world.profile(user) });
    const candidates = this.#candidates === "all" ? { candidates: this.#onSale(time) } : {};
    const surface = page === 0 ? "home" : "feed";
    const context = { hour: hourOf(time) };
    events.push({
      type: "request",
      user,
      time,
      request: `r${number}`,
      ...candidates,
      count: LIST_LENGTH,
      surface,
      context,
    });
    return events;
  }

  /** Shows an answer; what the person does is returned by {@linkcode Shopkeeper.before} when its time comes. */
  show({ user, time }: Visit, { request, items }: Recommendation, variant: number): ServedPage {
    const list = items.map(({ item }) => item);
    const onSale = this.#onSale(time);
    const truth = this.#world.truth(user, list, time);
    const all = this.#world.truth(user, onSale, time);
    const looked = all.map((p, position) => p * (1 + BEHAVIOUR.examination * position));
    const order = Array.from(looked.keys()).sort((a, b) => looked[b]! - looked[a]!);
    const top = order.map((place) => looked[place]!);
    const bestList = order.slice(0, list.length).map((place) => onSale[place]!);
    const [wanted, own] = [bestList, list].map((items) => this.#world.parts(user, items, time));
    const looks = Array.from({ length: list.length }, (_, k) => 1 / (1 + BEHAVIOUR.examination * k));
    const mean = (values: ArrayLike<number>) =>
      Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;
    const answers = this.#world.answer(user, list, time, this.#random);
    let clicks = 0;
    for (const { item, action, time, value } of answers) {
      if (action === "click") clicks++;
      const what = { type: "interaction", user, time, item: item.id, action, request } as const;
      this.#coming.add(time, value === undefined ? what : { ...what, value });
    }
    return {
      variant,
      time,
      clicks,
      rows: list.length,
      served: list.length === 0 ? 0 : mean(truth),
      best: mean(looks.map((look, k) => look * (top[k] ?? 0))),
      random: mean(looks) * mean(top),
      lacks: wanted!.map((part, p) => part - own![p]!),
    };
  }

  #onSale(time: number): string[] {
    return this.#world.onSale(time).map(({ id }) => id);
  }
}

/** Task, learner and the experiment's figures on one log, in lockstep. */
class Engine implements AsyncDisposable {
  readonly totals: ExperimentTotals;
  readonly ratio: SampleRatio;
  readonly learning: Learning;
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #task: Task;
  readonly #subscriber: ParameterSubscriber;
  readonly #variants: readonly string[];
  #answers = 0;
  #samples = 0;
  #step = 0;

  private constructor(
    log: Log,
    topics: Topics,
    experiment: Experiment,
    parts: { readonly task: Task; readonly learning: Learning; readonly subscriber: ParameterSubscriber },
  ) {
    this.#log = log;
    this.#topics = topics;
    this.#task = parts.task;
    this.learning = parts.learning;
    this.#subscriber = parts.subscriber;
    const shares = splitShares(experiment);
    this.#variants = experiment.variants.filter(({ shadow }) => shadow !== true).map(({ name }) => name);
    this.ratio = new SampleRatio(shares);
    this.totals = new ExperimentTotals(experiment, { onUser: (variant) => this.ratio.update(variant) });
  }

  static async open<N extends ModelName>(
    log: Log,
    topics: Topics,
    experiment: Experiment,
    options: SimulationOptions<N>,
  ): Promise<Engine> {
    const { learner, model, modelConfig, seed } = options;
    const taskOptions = { maxJumpMs: REPLAY_MAX_JUMP_MS, ...options.task };
    const k = learnerSettings(learner).embeddingWidth;
    const sizes = modelSizes(taskOptions.schema, k);
    const make = () => createModel(model, sizes, modelConfig, mulberry32(seed));
    const serving = new ServingModel(make(), taskOptions.schema, k);
    const service = serviceLearning(options.learning);
    const learning = await Learning.open(log, topics, new Learner(make(), learner), service);
    const subscriber = new ParameterSubscriber(log, topics.parameters, serving);
    await subscriber.update();
    const task = await Task.open({ log, topics, partition: 0, options: taskOptions, serving });
    return new Engine(log, topics, experiment, { task, learning, subscriber });
  }

  variantOf({ variant }: Recommendation): number {
    return variant === undefined ? -1 : this.#variants.indexOf(variant);
  }

  /** Writes the events, the last of which is a request, and returns its answer. */
  async answer(
    events: readonly Event[],
    items: Iterable<ReturnType<typeof itemRecord>>,
  ): Promise<Recommendation> {
    const { events: topic, items: catalogue, recommendations } = this.#topics;
    const records: NewRecord[] = [...items].map((item) => ({
      topic: catalogue,
      partition: 0,
      key: item.item,
      value: encodeItem(item),
      time: item.time,
    }));
    for (const event of events) {
      const { user: key, time } = event;
      records.push({ topic, partition: 0, key, value: encodeEvent(event), time });
    }
    await this.#log.append(records);
    // By this clock, every step is long after the previous one, so it reads the catalogue and commits its work.
    for (;;) {
      await this.#task.step({ now: () => this.#step++ * 1000, commitEvents: 1e9, commitIntervalMs: 1 });
      const { records, next } = await this.#log.read(recommendations, 0, this.#answers);
      this.#answers = next;
      const newest = records.at(-1)?.value;
      if (newest) return JSON.parse(new TextDecoder().decode(newest)) as Recommendation; // the task made it
    }
  }

  /** Learns the samples so far, and counts them for the experiment. */
  async learn(): Promise<void> {
    for (;;) {
      const { records, next } = await this.#log.read(this.#topics.samples, 0, this.#samples);
      for (const { value } of records) if (value !== null) this.totals.update(decodeSample(value));
      this.#samples = next;
      if (records.length === 0) break;
    }
    await this.learning.drain();
    await this.#subscriber.update();
  }

  /** Drops consumed records, except samples, which the learner drops. */
  async trim(): Promise<void> {
    const { events, recommendations } = this.#topics;
    await this.#log.trim(events, 0, this.#task.committed);
    await this.#log.trim(recommendations, 0, this.#answers);
  }

  /** Settles open lists. */
  async finish(): Promise<void> {
    await this.#task.flush();
    await this.learn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#task[Symbol.asyncDispose]();
    await this.learning[Symbol.asyncDispose]();
  }
}
