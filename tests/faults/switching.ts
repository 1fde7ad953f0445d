/**
 * A deployment that switches from one generation to another on a simulated broker, and back if there is time: around
 * the records of a switch processes die, freeze or are cut off, and the broker is restarted. Each request on the log
 * must have one answer, and no task's position may go back. Once all faults are over, a switch must succeed if none
 * has.
 *
 * @module
 */

import type { Event } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { TASK_KEY } from "../../src/engine/task_codec.ts";
import { decodeEvent } from "../../src/events/codec.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { isTransient } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { decodePosition } from "../../streams/task/inputs/position.ts";
import { INPUT } from "../../streams/topics/delivery.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { generationTopics, topicSpecs } from "../../streams/topics/topics.ts";
import { topics } from "../generations/built.ts";
import { Member, type MembersOptions } from "../generations/members.ts";
import { recordsOf, shopEvents } from "../service/deployment.ts";
import type { Broker } from "./broker/broker.ts";
import { breakConnections, type Network } from "./cluster.ts";
import { EPOCH } from "./globals.ts";
import { kafkaAppender, pause } from "./people.ts";
import type { Plan } from "./plan.ts";
import { StillLog } from "./still_log.ts";
import type { Owner, World } from "./world.ts";

/** Where it happens. */
export interface SwitchingStage {
  readonly plan: Plan;
  readonly world: World;
  readonly broker: Broker;
  readonly network: Network;
  /** Until when processes cannot reach the broker, by name. */
  readonly cutUntil: Map<string, number>;
  /** Receives what is wrong. */
  readonly report: (problem: string) => void;
  readonly count: (name: string, n: number) => void;
  /** Receives the errors with which processes end. */
  readonly onEnd: (name: string, error: unknown) => void;
}

const OPEN = { brokers: ["broker:9092"], compression: "none" } as const;
/** Events before the switch, and during it. */
const FIRST_EVENTS = 60;
const EVENTS = 240;
const GAP_MS = 80;
/** Time after a record of a switch with many requests. */
const RUSH_MS = 120;
const RUSH_GAP_MS = 5;
/** Event time between two events: samples must be settled. */
const STEP_MS = 60_000;
const PAST_MS = 30 * 86_400_000;
const RESTART_MS = 1000;
const FAULTS = 16;
/** Shares of the records of a switch, and of those of a leg, around which faults happen. */
const SWITCH_FAULTS = 0.5;
const LEG_FAULTS = 0.05;
/** Time within which an undisturbed switch must succeed. */
const SWITCH_MS = 60_000;
/** The error of a build that is given up because too much arrives meanwhile. */
const GIVEN_UP = /^Cannot (switch|catch up)/;
/** Time without an answer that is too long. */
const STUCK_MS = 120_000;

/** From the first topic to the last check. */
export async function switching(stage: SwitchingStage): Promise<void> {
  const { plan: { partitions, seed }, world } = stage;
  const random = world.random("switching");
  const options: MembersOptions = {
    tasks: { 1: partitions, 2: random() < 0.5 ? partitions : 2 * partitions },
    patienceMs: [1000, 3000, 10_000][Math.floor(3 * random())]!,
    commitIntervalMs: [5, 50][Math.floor(2 * random())]!,
    batchRows: [32, 64, 128][Math.floor(3 * random())]!,
  };
  const events = shopEvents(200, 24, seed).slice(0, FIRST_EVENTS + EVENTS);
  {
    await using log = await KafkaLog.open(OPEN);
    await log.createTopics(topicSpecs(topics, partitions));
    await log.append(recordsOf(events.slice(0, FIRST_EVENTS).map(timed)));
  }
  const processes = new Processes(stage, options);
  for (let n = 0; n < 2 + Math.floor(2 * random()); n++) processes.start(`node-${n}`);
  const suffering = processes.suffer();
  const append = kafkaAppender();
  for (let n = FIRST_EVENTS, rushed = 0, until = Infinity; n < events.length || processes.switches === 0;) {
    if (n === events.length) {
      processes.spare();
      until = Math.min(until, world.now + SWITCH_MS);
      if (world.now > until) break;
    }
    const isRush = world.now - processes.stirredAt < RUSH_MS;
    await pause(2 * (isRush ? RUSH_GAP_MS : GAP_MS) * random());
    const rush = { type: "request", user: `u${1 + Math.floor(24 * random())}`, count: 3 } as const;
    const event = isRush || n === events.length
      ? { ...rush, request: `rush-${rushed++}`, time: 0 }
      : events[n++]!;
    await append(recordsOf([timed(event, n)]).at(-1)!);
  }
  processes.calm();
  await suffering;
  await untilAnswered(stage);
  processes.end();
  if (processes.switches === 0) {
    stage.report(`no process has switched, ${SWITCH_MS / 1000} s after the last fault`);
  }
  await check(stage);
  await checkPositions(stage, options.tasks);
}

/** An event of a past that goes by faster. */
function timed(event: Event, n: number): Event {
  return { ...event, time: EPOCH - PAST_MS + n * STEP_MS };
}

/** The processes, which a supervisor restarts. */
class Processes {
  readonly #stage: SwitchingStage;
  readonly #options: MembersOptions;
  readonly #owners = new Map<string, Owner>();
  /** When the last record of a switch arrived. */
  stirredAt = -Infinity;
  switches = 0;
  #isOn = true;
  #isSpared = false;
  #isCalm = false;

  constructor(stage: SwitchingStage, options: MembersOptions) {
    this.#stage = stage;
    this.#options = options;
  }

  start(name: string): void {
    const { world, count, onEnd } = this.#stage;
    const owner = world.owner(name);
    this.#owners.set(name, owner);
    count("processes started", 1);
    const ended = (error: unknown) => {
      world.schedule(world.self, RESTART_MS, "restart", () => {
        onEnd(name, error);
        if (!this.#isOn || this.#owners.get(name) !== owner) return;
        owner.isAlive = false;
        this.start(name);
      });
    };
    world.schedule(owner, 0, "start", () => {
      this.#live().then(() => ended(new Error("it has stopped")), ended);
    });
  }

  /** Like `run --rebuild`, but it goes back as soon as it has switched. */
  async #live(): Promise<never> {
    await using log = await KafkaLog.open(OPEN);
    await using member = await Member.start(log, this.#options);
    const { place, succession } = member;
    const building = async () => {
      for (;;) {
        await pause(500);
        if (this.#isCalm) continue;
        try {
          const number = await servingGeneration(log, topics) === 1 ? 2 : 1;
          const { isSwitched } = await member.build(number);
          if (!isSwitched) continue;
          this.switches++;
          this.#stage.count(this.#isSpared ? "switches without faults" : "switches", 1);
        } catch (error) {
          if (!isTransient(error) && !GIVEN_UP.test(reasonOf(error))) {
            this.#stage.report(`a build has ended with ${reasonOf(error)}`);
          }
          if (place.isReleased) throw error;
          this.#stage.count("builds that were given up", 1);
        }
      }
    };
    const serving = async () => {
      for (let service = place.current;; service = place.current) {
        await service.ended;
        if (service === place.current) throw new Error("its service has ended");
      }
    };
    return await Promise.race([
      building(),
      serving(),
      succession.ended.then((): never => {
        throw new Error("it has stopped following");
      }),
    ]);
  }

  /** Causes faults around the records of a switch, until the calm begins. */
  async suffer(): Promise<void> {
    const { world, broker, count } = this.#stage;
    const random = world.random("faults");
    const under: Promise<void>[] = [];
    const log = new StillLog(broker);
    for (let seen = 0, faults = 0; !this.#isSpared && faults < FAULTS;) {
      await pause(2);
      if (!broker.topics.has(topics.generations)) continue;
      const { records, next } = await log.read(topics.generations, 0, seen);
      seen = next;
      if (records.length === 0) continue;
      this.stirredAt = world.now;
      const isLeg = records.every(({ key }) => Number(key) > 0);
      if (random() > (isLeg ? LEG_FAULTS : SWITCH_FAULTS)) continue;
      await pause(60 * random() ** 2);
      const names = [...this.#owners.keys()];
      const name = names[Math.floor(names.length * random())]!;
      faults++;
      count("faults", 1);
      under.push(this.#fault(name, Math.floor(10 * random()), 10 * 1000 ** random()));
    }
    await Promise.all(under);
  }

  async #fault(name: string, kind: number, lastsMs: number): Promise<void> {
    const { world, broker, network, cutUntil } = this.#stage;
    const owner = this.#owners.get(name)!;
    if (kind < 3) {
      owner.isAlive = false;
      await pause(lastsMs);
      if (this.#owners.get(name) === owner) this.start(name);
    } else if (kind < 7) {
      owner.frozenUntil = Math.max(owner.frozenUntil, world.now + lastsMs);
      await pause(lastsMs);
    } else if (kind < 9) {
      cutUntil.set(name, world.now + lastsMs);
      await pause(lastsMs);
      breakConnections(world, network, owner);
    } else {
      broker.isUp = false;
      breakConnections(world, network);
      await pause(lastsMs / 4);
      broker.restart();
    }
  }

  /** No more faults from now on. */
  spare(): void {
    this.#isSpared = true;
  }

  /** No more builds either. */
  calm(): void {
    this.#isSpared = this.#isCalm = true;
  }

  /** Ends all processes. */
  end(): void {
    this.#isOn = false;
    for (const owner of this.#owners.values()) owner.isAlive = false;
  }
}

/** Answers by the place of their request on `events`. */
async function answers({ plan, broker }: SwitchingStage): Promise<ReadonlyMap<string, readonly string[]>> {
  const log = new StillLog(broker);
  const found = new Map<string, string[]>();
  for (let p = 0; p < plan.partitions; p++) {
    for await (const { value, offset } of readAll(log, topics.events, p)) {
      const decoded = decodeEvent(value ?? new Uint8Array(0));
      if (decoded.ok && decoded.event.type === "request") found.set(`${p}/${offset}`, []);
    }
    for await (const { value, offset, headers } of readAll(log, topics.recommendations, p)) {
      const { model }: Recommendation = JSON.parse(new TextDecoder().decode(value!));
      const [, input] = (headers[INPUT] ?? "").split("/");
      found.get(`${p}/${input}`)?.push(`${model} at ${offset}, input ${headers[INPUT]}`);
    }
  }
  return found;
}

async function untilAnswered(stage: SwitchingStage): Promise<void> {
  const { world, report } = stage;
  let best = Infinity;
  for (let since = world.now;;) {
    const left = [...(await answers(stage)).values()].filter(({ length }) => length === 0).length;
    if (left === 0) return;
    if (left < best) [best, since] = [left, world.now];
    if (world.now - since > STUCK_MS) return report(`${left} requests are not answered`);
    await pause(500);
  }
}

async function check(stage: SwitchingStage): Promise<void> {
  const found = await answers(stage);
  stage.count("requests", found.size);
  const wrong = [...found].filter(([, { length }]) => length > 1);
  stage.count("answered twice", wrong.length);
  for (const [place, all] of wrong.slice(0, 5)) {
    stage.report(`the request at ${place} has ${all.length} answers: ${all.join("; ")}`);
  }
  if (found.size === 0) stage.report("no request was sent");
}

/** Checks that no task has committed a position below an earlier one. */
async function checkPositions(
  { broker, report }: SwitchingStage,
  tasks: MembersOptions["tasks"],
): Promise<void> {
  for (const generation of [1, 2]) {
    const { statistics } = generationTopics(topics, generation);
    const log = new StillLog(broker, [statistics]);
    if (await log.identify(statistics) === null) continue;
    for (let task = 0; task < tasks[generation]!; task++) {
      let last = 0;
      for await (const { key, headers } of readAll(log, statistics, task)) {
        if (key !== TASK_KEY) continue;
        const { next } = decodePosition(headers);
        if (next < last) {
          report(`task ${task} of generation ${generation} has gone back from ${last} to ${next}`);
        }
        last = next;
      }
    }
  }
}
