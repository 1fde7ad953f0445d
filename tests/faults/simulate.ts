/**
 * One run: a deployment in a simulated world, what happens to it, and the checks afterwards.
 *
 * @module
 */

import { configure, type LogRecord as Line } from "@logtape/logtape";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import {
  type Config,
  learnerOptions,
  learningOptions,
  modelConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { type Log, LogError, type NewRecord } from "../../streams/log/log.ts";
import { SQLITE_OPTIONS } from "../../streams/log/sqlite/durability.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import type { SqliteLogOptions } from "../../streams/log/sqlite/sqlite_store.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { encodeEvent } from "../../src/events/codec.ts";
import { monitorGroup, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import type { Deployment } from "../chaos/deployment.ts";
import { startExperiments } from "../chaos/experiments.ts";
import { unlearnt } from "../chaos/notes.ts";
import { catalogue, START, traffic } from "../chaos/traffic.ts";
import { verify } from "../chaos/verify.ts";
import { Broker } from "./broker/broker.ts";
import { breakConnections, type Network, setNetwork } from "./cluster.ts";
import { checkPeople } from "./checks.ts";
import { enter, EPOCH, realNow } from "./globals.ts";
import { Ledger } from "./ledger.ts";
import { kafkaAppender, pause, People, shop } from "./people.ts";
import type { Fault, Plan, Trial } from "./plan.ts";
import { type ProcessOptions, SimulatedProcess } from "./process.ts";
import { serversHere } from "./servers.ts";
import { StillLog } from "./still_log.ts";
import { type Death, Storage } from "./storage.ts";
import { switching } from "./switching.ts";
import { lossesOf, missingOf, OUTSIDE, poison, type Stage } from "./trials.ts";
import { type Owner, Stalled, World } from "./world.ts";

/** The result of a run. */
export interface Outcome {
  /** Sentences; none when all is well. */
  readonly problems: readonly string[];
  /** Digest of everything that happened. */
  readonly digest: string;
  readonly steps: number;
  readonly turns: number;
  /** Milliseconds of the world, and real ones. */
  readonly simulatedMs: number;
  readonly tookMs: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** Observers of a run. */
export interface SimulateOptions {
  /** Called with each step. */
  readonly onStep?: (at: number, owner: string, label: string) => void;
  /** Called with each line that the deployment prints. */
  readonly onLine?: (at: number, owner: string, level: string, text: string) => void;
  /** Whether to stop at the first problem. @default {false} */
  readonly endsAtProblem?: boolean;
}

/** A line printed by a process. */
export interface Said {
  readonly at: number;
  readonly owner: string;
  readonly level: string;
  readonly text: string;
}

const PREFIX = "sim.";
const MODEL: ModelName = "base";
const WINDOW_MS = 25_000;
const LATENESS_MS = 20_000;
const CONFIG: Config = {
  outcomeWindowMs: WINDOW_MS,
  allowedLatenessMs: LATENESS_MS,
  batchRows: 64,
  checkpointBatches: 4,
  guard: null,
  learner: { embeddingWidth: 4 },
};
/** Time without any progress that is too long, once all faults are over. */
const STUCK_MS = 100_000;
/** Longest time that a process may take to stop. */
const STOP_MS = 10_000;
const RESTART_MS = 2000;
/** Time within which a monitor judges what it has counted; what it stops is an event. */
const QUIET_MS = 15_000;
const ITEMS = 60;
/** Users, and events of each, that move the clock of a partition at the end. */
const CLOSERS = 4;
/** Trials after which only an operator can get the deployment going again. */
const MAY_STAND_STILL: ReadonlySet<string> = new Set(["recreate", "grow", "rotten-wal", "rotten-file"]);
/** What was acknowledged this long before a power cut must still be there. */
const LOSS_MS = SQLITE_OPTIONS.syncMs.value + 100;
const OF_ORDER = /^the (order of|learner's) /;
const HOUR_MS = 3_600_000;
/** The topic of events itself, not the group of its tasks. */
const OF_EVENTS = /sim\.events(?!-)/;
const PLACES = /offsets? \d+( to \d+)? of sim\.[\w.-]+\/\d+/;
const OF_DAMAGE = [
  PLACES,
  /sim\.[\w.-]+\/\d+.*\d/,
  /Cannot (open the log|use \S+ as a log).*(index|page|malformed)/,
];
/** What must be reported of a trial, so that an operator can tell what happened, and where. */
const TELLING: Partial<Readonly<Record<Trial, readonly RegExp[]>>> = {
  "retention": [/lost \d+ offsets of sim\.events\/\d+, \d+ to \d+/],
  "recreate": [/sim\.events.*its id was \S+, and is \S+\)/],
  "grow": [/sim\.events has \d+ partitions, \d+ more than when the deployment began/],
  "foreign-keys": [/sim\.events\/\d+@\d+ .* partition \d+ of \d+/],
  "power": [
    /\d+ acknowledged records are lost.* of sim\./,
    /what was acknowledged within \d+ ms.* may be lost; the log ends at offsets [\d, ]+ of sim\.events/,
  ],
  "rotten-wal": OF_DAMAGE,
  "rotten-file": OF_DAMAGE,
};

let heard: ((line: Line) => void) | undefined;

/** Redirects all output to this module. Once per process. */
export async function listen(): Promise<void> {
  const sink = (line: Line) => heard?.(line);
  await configure({
    sinks: { sink },
    loggers: [
      { category: "meander", sinks: ["sink"], lowestLevel: "info" },
      { category: ["logtape", "meta"], sinks: ["sink"], lowestLevel: "warning" },
    ],
  });
}

/** Runs a plan. */
export async function simulate(plan: Plan, options: SimulateOptions = {}): Promise<Outcome> {
  const began = realNow();
  using run = new Run(plan, options);
  try {
    await run.live();
    return run.outcome(realNow() - began);
  } finally {
    heard = undefined;
    enter(undefined);
  }
}

class Run implements Disposable {
  readonly #plan: Plan;
  readonly #options: SimulateOptions;
  readonly #world: World;
  readonly #broker: Broker;
  readonly #network: Network;
  readonly #ledger = new Ledger();
  readonly #problems: string[] = [];
  /** Resolves at the first problem, if that ends the run. */
  readonly #end = Promise.withResolvers<void>();
  readonly #figures: Record<string, number> = {};
  readonly #said: Said[] = [];
  readonly #cutUntil = new Map<string, number>();
  readonly #processes = new Map<string, SimulatedProcess>();
  readonly #topics = topicNames(PREFIX);
  /** The files of the log, if it is a SQLite log. */
  readonly #storage: Storage | undefined;
  /** Whether processes that end are started again. */
  #isOn = true;
  /** When something was taken away or added from outside: from then on it may do harm, but not silently. */
  #trialAt = Infinity;
  /** Digest at the end. */
  #happened: Pick<Outcome, "digest" | "steps" | "turns" | "simulatedMs"> | undefined;
  /** Whether no task has taken an event for too long. */
  #isDown = false;
  /** Whether everything was done at the end. */
  #isDone = false;

  constructor(plan: Plan, options: SimulateOptions) {
    this.#plan = plan;
    this.#options = options;
    const world = this.#world = new World(plan.seed);
    enter(world);
    this.#broker = new Broker(world, plan.isImplicit);
    // An erasure removes all earlier versions, and here the first is served to the end.
    if (!plan.isLive) this.#broker.kept.add(this.#topics.parameters);
    const random = world.random("network");
    this.#network = {
      broker: this.#broker,
      random,
      latency: () => random() < plan.tail ? 100 * random() : 0.05 + 2 * random() ** 6,
      isCut: ({ name }) => (this.#cutUntil.get(name) ?? 0) > world.now,
    };
    setNetwork(world, this.#network);
    if (plan.topology === "sqlite") this.#storage = new Storage(world.random("storage"));
    world.onStep = options.onStep;
    world.onCrash = (owner, error) => this.#report(`${owner.name} has thrown: ${textOf(error)}`);
    heard = ({ level, message }) => {
      const text = message.map((part) => typeof part === "string" ? part : String(part)).join("");
      this.#said.push({ at: world.now, owner: world.current.name, level, text });
      options.onLine?.(world.now, world.current.name, level, text);
    };
  }

  [Symbol.dispose](): void {
    this.#storage?.[Symbol.dispose]();
  }

  /** From the first topic to the last check. */
  async live(): Promise<void> {
    const { partitions, trial } = this.#plan;
    try {
      const use = () => trial === "switch" ? this.#switch() : this.#use();
      await this.#world.finish(() => Promise.race([use(), this.#end.promise]));
      this.#isOn = false;
    } catch (error) {
      if (!(error instanceof Stalled)) throw error;
      return this.#report(error.message);
    }
    if (trial === "switch" || this.#options.endsAtProblem && this.#problems.length > 0) return;
    // The order of samples is spread over all records of a key.
    const storage = this.#storage;
    const log: Log | undefined = storage === undefined
      ? new StillLog(this.#broker, [this.#topics.checkpoints])
      : await this.#world.finish(() => SqliteLog.open(storage.path, this.#sqlite(storage))).catch(
        (error) => {
          this.#told("log", error);
          return undefined;
        },
      );
    if (log === undefined) {
      const said = this.#saidOfEvents();
      this.#count("warnings of it", said.length);
      if (said.length === 0) this.#report("the log cannot be opened, and no process reports what is damaged");
      return;
    }
    const deployment = this.#deployment();
    // The checks from here on are not part of the run: they wait for digests, which are not simulated.
    const { steps, turns, digest, now } = this.#world;
    this.#happened = { steps, turns, digest, simulatedMs: now };
    // Of unfinished work nothing else can be said.
    if (this.#isDone && (this.#trialAt === Infinity || trial === "expiry" || storage !== undefined)) {
      const verdict = await this.#world.finish(() => verify(log, deployment)).catch((error) => {
        // Damaged records may be missing; whether they are reported is checked below.
        const isDamage = trial === "rotten-file" || trial === "rotten-wal";
        if (isDamage) this.#told("log", error);
        return {
          problems: isDamage ? [] : [`what is left cannot be looked at: ${textOf(error)}`],
          figures: {},
        };
      });
      // A compact topic of SQLite keeps only the newest order of samples, which does not cover earlier ones.
      const isOfOrder = (problem: string) => storage !== undefined && OF_ORDER.test(problem);
      for (const problem of verdict.problems) if (!isOfOrder(problem)) this.#report(problem);
      Object.assign(this.#figures, verdict.figures);
    }
    if (this.#trialAt < Infinity) {
      const missing = (before: number) =>
        this.#world.finish(() => missingOf(log, this.#topics, this.#ledger, before)).catch((error) => {
          this.#told("log", error);
          return ["the log cannot be read"];
        });
      const lost = storage === undefined
        ? await this.#world.finish(() => lossesOf(log, this.#topics))
        : await missing(this.#trialAt);
      const said = this.#saidOfEvents();
      this.#count("warnings of it", said.length);
      if (trial === "power") {
        const isSure = this.#plan.durability === "power";
        for (const loss of await missing(this.#trialAt - (isSure ? 0 : LOSS_MS))) this.#report(loss);
        if (isSure && said[0] !== undefined) {
          this.#report(`a process reports an impossible loss: ${said[0].text}`);
        }
      }
      for (const loss of lost) if (said.length === 0) this.#report(`${loss}, and no process reports it`);
      if (lost.length > 0) this.#count("losses", lost.length);
      return;
    }
    if (!this.#isDone) return;
    await this.#world.finish(() =>
      checkPeople(this.#ledger, log, {
        topics: this.#topics,
        partitions,
        windowMs: WINDOW_MS,
        report: (problem) => this.#report(problem),
        count: (name, n) => this.#count(name, n),
      })
    );
  }

  outcome(tookMs: number): Outcome {
    const { digest, steps, turns, now: simulatedMs } = this.#world;
    const happened = this.#happened ?? { digest, steps, turns, simulatedMs };
    return { ...happened, problems: this.#problems, tookMs, figures: this.#figures };
  }

  /** People use the deployment while it suffers; then pending work is completed, and it stops. */
  async #use(): Promise<void> {
    const { partitions, people, durationMs, gapMs, faults, seed, trial } = this.#plan;
    const stream = { seed, events: 2 * durationMs / 1000, users: people, partitions, items: ITEMS };
    {
      await using log = await this.#openLog();
      await log.createTopics(topicSpecs(this.#topics, partitions));
      await log.append([...catalogue(this.#topics, stream)]);
      await startExperiments(log, this.#topics, { model: MODEL, time: START });
    }
    for (const name of this.#names()) this.#start(name);
    const users = Array.from({ length: people }, (_, n) => `person-${n}`);
    const crowd = new People(this.#ledger, {
      users,
      gapMs,
      durationMs,
      windowMs: WINDOW_MS,
      servers: () => this.#servers(),
      forgets: this.#storage === undefined,
      skewMs: trial === "clock-ahead" ? HOUR_MS - 60_000 : trial === "clock-behind" ? -HOUR_MS : undefined,
    });
    const suffering = faults.map((fault) => this.#suffer(fault));
    const [sold] = await Promise.all([
      shop(traffic(this.#topics, stream), this.#appender()),
      crowd.run(),
      ...suffering,
      ...(trial === "poison" ? [poison(this.#stage(), durationMs)] : []),
    ]);
    this.#count("events of the shop", sold);
    const outside = trial === undefined ? undefined : OUTSIDE[trial];
    if (outside !== undefined) await outside(this.#stage());
    await this.#close(users);
    this.#isDone = await this.#isQuiet();
    if (!this.#isDone && (trial === undefined || !MAY_STAND_STILL.has(trial))) {
      this.#report(`no progress for ${STUCK_MS / 1000} s, and not all is done`);
    }
    this.#isOn = false;
    for (const process of this.#processes.values()) process.stop();
    const stopped = Promise.all([...this.#processes.values()].map(({ ended }) => ended));
    const late = await Promise.race([stopped.then(() => false), pause(STOP_MS).then(() => true)]);
    if (late) {
      const names = [...this.#processes].flatMap(([name, { service }]) => {
        const unfinished = service?.unfinished ?? [];
        return unfinished.length > 0 ? [`${name} (${unfinished.join(", ")})`] : [];
      });
      this.#report(`not stopped after ${STOP_MS / 1000} s: ${names.join("; ")}`);
    }
  }

  async #switch(): Promise<void> {
    await switching({
      plan: this.#plan,
      world: this.#world,
      broker: this.#broker,
      network: this.#network,
      cutUntil: this.#cutUntil,
      report: (problem) => this.#report(problem),
      count: (name, n) => this.#count(name, n),
      onEnd: (name, error) => this.#options.onLine?.(this.#world.now, name, "fatal", textOf(error)),
    });
  }

  /** What a trial needs. */
  #stage(): Stage {
    const { partitions, gapMs } = this.#plan;
    return {
      world: this.#world,
      broker: this.#broker,
      topics: this.#topics,
      partitions,
      append: this.#appender(),
      random: this.#world.random("trial"),
      ask: (user, request) => this.#askOnce(user, request),
      stopAll: async () => {
        this.#isOn = false;
        for (const process of this.#processes.values()) process.stop();
        await Promise.race([
          Promise.all([...this.#processes.values()].map(({ ended }) => ended)),
          pause(STOP_MS),
        ]);
        for (const process of this.#processes.values()) this.#kill(process);
      },
      startAll: () => {
        this.#isOn = true;
        for (const name of this.#processes.keys()) this.#start(name);
      },
      begins: () => this.#trialAt = this.#world.now,
      rot: () => this.#storage?.die("rotten-file"),
      killAll: (death) => {
        for (const process of this.#processes.values()) this.#kill(process, death);
      },
      usedFor: (durationMs) =>
        new People(this.#ledger, {
          users: [...Array(12).keys()].flatMap((n) => [`person-${n}`, `late-${n}`]),
          gapMs,
          durationMs,
          windowMs: WINDOW_MS,
          servers: () => this.#servers(),
          skewMs: undefined,
          forgets: this.#storage === undefined,
          prefix: "late-",
        }).run(),
    };
  }

  async #askOnce(user: string, request: string): Promise<void> {
    const [server] = this.#servers();
    if (server !== undefined) {
      await serversHere().ask(server, "POST", "/v1/recommend", { user, request, count: 6 });
    }
  }

  /** What any process has logged about the events since a trial began, at least as a warning. */
  #saidOfEvents(): readonly Said[] {
    const telling = TELLING[this.#plan.trial!] ?? [OF_EVENTS];
    const isOfEvents = ({ at, level, text }: Said) =>
      at >= this.#trialAt && level !== "info" && level !== "debug" && telling.some((one) => one.test(text));
    return this.#said.filter(isOfEvents);
  }

  /** Advances the clock of each partition until every list is settled. */
  async #close(users: readonly string[]): Promise<void> {
    const { partitions } = this.#plan;
    await pause(WINDOW_MS + LATENESS_MS + 5000);
    // A clock trusts no single source, and unstamped events only when there are enough of them.
    const closers = [...Array(partitions).keys()].flatMap((partition) => {
      const names = Array.from({ length: 64 * partitions }, (_, n) => `closer-${n}`);
      return names.filter((name) => partitionOf(name, partitions) === partition).slice(0, CLOSERS);
    });
    this.#count("people", users.length);
    const time = Math.floor(EPOCH + this.#world.now);
    const append = this.#appender();
    for (let n = 0; n < CLOSERS; n++) {
      for (const user of closers) {
        const value = encodeEvent({ type: "profile", user, time: time + n, attributes: { age: "30" } });
        await append({ topic: this.#topics.events, key: user, value, time: time + n });
      }
    }
  }

  /** The log of the deployment, before any process opens it. */
  #openLog(): Promise<Log> {
    return this.#storage === undefined
      ? KafkaLog.open({ brokers: ["broker:9092"], compression: "none" })
      : SqliteLog.open(this.#storage.path, this.#sqlite(this.#storage));
  }

  #sqlite({ boot }: Storage): SqliteLogOptions {
    return { boot, durability: this.#plan.durability };
  }

  /** How a shop appends: to Kafka itself, or over HTTP where one process owns the log. */
  #appender(): (record: NewRecord) => Promise<void> {
    if (this.#storage === undefined) return kafkaAppender();
    return async ({ value }) => {
      const text = new TextDecoder().decode(value ?? new Uint8Array(0));
      if (text.includes('"forget"')) return; // as for the parameters of a broker: none is kept here
      const began = this.#world.now;
      for (let pauseMs = 100;; pauseMs = Math.min(2 * pauseMs, 5000)) {
        const [server] = this.#servers();
        const { status } = server === undefined
          ? { status: 0 }
          : await serversHere().ask(server, "POST", "/v1/events", text);
        if (status === 200) return void this.#ledger.appended.push({ text, at: this.#world.now });
        if (status === 400 || status === 422 || !this.#isOn) return; // it is not a valid event, or will never be accepted
        if (this.#world.now - began > STUCK_MS) this.#isDown = true;
        if (this.#isDown) return;
        await pause(pauseMs);
      }
    };
  }

  #names(): string[] {
    if (this.#plan.topology === "sqlite") return ["node-0"];
    return this.#plan.topology === "nodes"
      ? ["node-0", "node-1", "node-2"]
      : ["task-0", "task-1", "learner-0", "learner-1", "monitor-0", "web-0", "web-1"];
  }

  #options_(name: string): ProcessOptions {
    const { partitions, delivery, isLive } = this.#plan;
    const config = isLive ? CONFIG : { ...CONFIG, snapshotVersions: null };
    const task = { ...taskOptions({ schema: DEFAULT_SCHEMA }, config, MODEL), seed: 0 };
    const role = name.split("-")[0];
    return {
      roles: role === "node"
        ? ["task", "learner", "monitor"]
        : role === "web"
        ? []
        : [role as "task" | "learner" | "monitor"],
      serves: role === "node" || role === "web",
      ...(this.#storage === undefined ? {} : {
        path: this.#storage.path,
        sqlite: this.#sqlite(this.#storage),
      }),
      service: {
        model: MODEL,
        modelConfig: modelConfig(MODEL, config),
        task,
        partitions,
        prefix: PREFIX,
        delivery,
        learner: learnerOptions(task, config, 0),
        learning: { ...learningOptions(config), keepRows: 20_000 },
        commitIntervalMs: delivery === "exactly-once" ? 100 : 500,
        ...(isLive ? {} : { serveVersion: 1 }),
      },
    };
  }

  #deployment(): Deployment {
    const { service } = this.#options_("task-0");
    const { model, modelConfig, task, learner, learning = {}, delivery, serveVersion } = service;
    return {
      prefix: PREFIX,
      model,
      modelConfig,
      task,
      learner,
      learning,
      ...(delivery === undefined ? {} : { delivery }),
      ...(serveVersion === undefined ? {} : { serveVersion }),
    };
  }

  #servers(): readonly Owner[] {
    return [...this.#processes].flatMap(([name, { owner }]) => /^(node|web)/.test(name) ? [owner] : []);
  }

  /** Like SIGKILL; on a single machine sometimes more than that. */
  #kill(process: SimulatedProcess, death: Death = "process"): void {
    if (!process.owner.isAlive) return;
    process.kill();
    this.#storage?.die(death);
  }

  #start(name: string): void {
    const process = new SimulatedProcess(this.#world, name, this.#options_(name));
    this.#processes.set(name, process);
    this.#storage?.lives(process.owner);
    this.#count("processes started", 1);
    process.ended.then(({ error }) => {
      if (error === undefined) return;
      this.#told(name, error);
      if (this.#isOn) {
        this.#world.schedule(this.#world.self, RESTART_MS, "restart", () => {
          if (this.#processes.get(name) !== process) return;
          this.#kill(process); // nothing of it is left running
          this.#start(name);
        });
      }
    });
  }

  /** The error that keeps a process from continuing. */
  #told(owner: string, error: unknown): void {
    this.#options.onLine?.(this.#world.now, owner, "fatal", textOf(error));
    this.#said.push({ at: this.#world.now, owner, level: "fatal", text: textOf(error) });
    if (this.#trialAt === Infinity) this.#report(`${owner} ended by itself: ${textOf(error)}`);
  }

  /** Causes a fault. */
  async #suffer({ at, kind, target, lastsMs }: Fault): Promise<void> {
    await pause(Math.max(0, at - this.#world.now));
    const names = [...this.#processes.keys()];
    const name = names[target % names.length]!;
    const process = this.#processes.get(name)!;
    const { owner } = process;
    this.#count(kind, 1);
    switch (kind) {
      case "kill":
        this.#kill(process);
        await pause(lastsMs);
        if (this.#processes.get(name) === process) this.#start(name);
        return;
      case "kill-starting": {
        this.#kill(process);
        await pause(lastsMs / 10);
        if (this.#processes.get(name) !== process) return;
        this.#start(name);
        const next = this.#processes.get(name)!;
        await pause(lastsMs / 3);
        this.#kill(next);
        await pause(lastsMs);
        if (this.#processes.get(name) === next) this.#start(name);
        return;
      }
      case "leave":
        process.stop();
        await Promise.race([process.ended, pause(STOP_MS)]);
        this.#kill(process);
        await pause(lastsMs);
        if (this.#processes.get(name) === process) this.#start(name);
        return;
      case "freeze":
        owner.frozenUntil = Math.max(owner.frozenUntil, this.#world.now + lastsMs);
        return await pause(lastsMs);
      case "cut":
        this.#cutUntil.set(name, this.#world.now + lastsMs);
        await pause(lastsMs);
        breakConnections(this.#world, this.#network, owner);
        return;
      case "slow":
        owner.lagMs = 1 + target % 20;
        await pause(lastsMs);
        owner.lagMs = 0;
        return;
      case "join": {
        if (this.#storage !== undefined) return; // it has one owner
        const guest = this.#plan.topology === "nodes" ? `node-${3 + target % 3}` : `task-${2 + target % 3}`;
        if (this.#processes.has(guest)) return;
        this.#start(guest);
        await pause(lastsMs);
        const here = this.#processes.get(guest)!;
        here.stop();
        await Promise.race([here.ended, pause(STOP_MS)]);
        this.#kill(here);
        if (this.#processes.get(guest) === here) this.#processes.delete(guest);
        return;
      }
      case "broker":
        this.#broker.isUp = false;
        breakConnections(this.#world, this.#network);
        await pause(lastsMs);
        this.#broker.restart();
        return;
      case "compact":
        for (const { cleanup, partitions } of this.#broker.topics.values()) {
          if (cleanup === "compact") { for (const partition of partitions) partition.compact(0); }
        }
    }
  }

  /** Waits until everything is done and nothing follows from it; `false` if that never happens. */
  async #isQuiet(): Promise<boolean> {
    const end = () =>
      [...this.#broker.topics.get(this.#topics.events)?.partitions ?? []].map(({ end }) => end);
    for (let before = "";;) {
      if (!await this.#settled()) return false;
      const now = `${end()}`;
      if (now === before) return true;
      before = now;
      await pause(QUIET_MS);
    }
  }

  /** The log while it is in use; `undefined` while no process has it open. */
  #lookedAt(): Log | undefined {
    if (this.#storage === undefined) return new StillLog(this.#broker);
    const [process] = this.#processes.values();
    return process?.owner.isAlive ? process.log : undefined;
  }

  /** Waits until all work is done; `false` if that never happens. */
  async #settled(): Promise<boolean> {
    let best = Infinity;
    for (let since = this.#world.now; this.#world.now - since < STUCK_MS;) {
      const log = this.#lookedAt();
      // The process that has it open may end in the meantime.
      const left = log === undefined ? undefined : await this.#leftOn(log).catch((error) => {
        if (error instanceof LogError && error.code === "closed") return undefined;
        throw error;
      });
      if (left === 0) return true;
      if (left !== undefined && left < best) [best, since] = [left, this.#world.now];
      await pause(500);
    }
    return false;
  }

  /** How much work is left; 0 when all that matters is done. */
  async #leftOn(log: Log): Promise<number> {
    const { partitions } = this.#plan;
    const { events, samples, recommendations, signals } = this.#topics;
    const lag = async (group: string, topic: string) => {
      let sum = 0;
      for (let p = 0; p < partitions; p++) {
        const { end } = await log.bounds(topic, p);
        sum += end - (await log.committed(group, topic, p) ?? 0);
      }
      return sum;
    };
    const tasks = await lag(`${events}-tasks`, events);
    const learner = await lag(`${samples}-learner-${MODEL}`, samples);
    const group = monitorGroup(this.#topics);
    const monitor = await lag(group, recommendations) + await lag(group, samples);
    const isDone = tasks === 0 && learner < (CONFIG.batchRows ?? 0) / 2 && monitor <= 2 * partitions;
    let left = 0;
    for (let partition = 0; isDone && partition < partitions; partition++) {
      left += await unlearnt(log, signals, { partition, partitions });
    }
    return isDone && left === 0 ? 0 : tasks + learner + monitor + left;
  }

  #report(problem: string): void {
    if (this.#problems.length < 20) this.#problems.push(problem);
    if (this.#options.endsAtProblem) this.#end.resolve();
  }

  #count(name: string, n: number): void {
    this.#figures[name] = (this.#figures[name] ?? 0) + n;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
