/**
 * Events from outside that take something away, or add something bad. They may do harm, but the operator of the
 * deployment must be told.
 *
 * @module
 */

import type { Event } from "../../src/events/event.ts";
import { decodeEvent, encodeEvent } from "../../src/events/codec.ts";
import { encodeBatch } from "../../streams/log/kafka/protocol/record_batch.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { Topics } from "../../streams/topics/topics.ts";
import type { Broker } from "./broker/broker.ts";
import { headOf } from "./broker/partition.ts";
import { EPOCH } from "./globals.ts";
import type { Ledger } from "./ledger.ts";
import { pause } from "./people.ts";
import type { Trial } from "./plan.ts";
import type { Death } from "./storage.ts";
import type { Random, World } from "./world.ts";

/** What a trial may do to a deployment. */
export interface Stage {
  readonly world: World;
  readonly broker: Broker;
  readonly topics: Topics;
  readonly partitions: number;
  readonly random: Random;
  /** A user requests a list. */
  readonly ask: (user: string, request: string) => Promise<void>;
  /** Ends all processes as SIGTERM does. */
  readonly stopAll: () => Promise<void>;
  readonly startAll: () => void;
  /** Changes a bit of what processes left when they ended. */
  readonly rot: () => void;
  /** Kills all processes. */
  readonly killAll: (death: Death) => void;
  /** Appends like the shop of the deployment. */
  readonly append: (record: NewRecord) => Promise<void>;
  /** From now on losses must be reported. */
  readonly begins: () => void;
  /** People use it for a while. */
  readonly usedFor: (durationMs: number) => Promise<void>;
}

const USED_MS = 40_000;
const SHORTLY_MS = 4000;
/** Longest time between two events of a busy shop; a quiet one takes a multiple of that. */
const SALE_MS = 40;
const QUIET = 20;
/** Longer than a broker keeps the offsets of a group without members. */
const AWAY_MS = 8 * 86_400_000;
const NO_PRODUCER = { id: -1, epoch: -1, transactional: false };
const encoder = new TextEncoder();

/** What happens once the first people have left, by trial. */
export const OUTSIDE: Partial<Readonly<Record<Trial, (stage: Stage) => Promise<void>>>> = {
  async retention(stage) {
    await stage.stopAll();
    stage.begins();
    await append(stage, someEvents(stage, 60));
    for (const partition of stage.broker.topics.get(stage.topics.events)?.partitions ?? []) {
      partition.trim(partition.stableEnd - Math.floor(4 * stage.random()));
    }
    stage.startAll();
    await stage.usedFor(USED_MS);
  },
  async expiry(stage) {
    const { topics, world } = stage;
    await stage.ask("erased", "list-of-the-erased");
    const forget = { type: "forget", user: "erased", time: Math.floor(EPOCH + world.now) } as const;
    await append(stage, [toRecord(topics, forget, "erased")]);
    await pause(5000);
    await stage.stopAll();
    stage.begins();
    await pause(AWAY_MS);
    stage.broker.expireOffsets();
    stage.startAll();
    await stage.usedFor(USED_MS);
  },
  async recreate(stage) {
    await stage.stopAll();
    stage.begins();
    stage.broker.makeTopic(stage.topics.events, stage.partitions, "delete");
    stage.startAll();
    await stage.usedFor(USED_MS);
  },
  async grow(stage) {
    stage.begins();
    stage.broker.grow(stage.topics.events, 2);
    await append(stage, someEvents(stage, 60));
    await stage.usedFor(USED_MS);
  },
  async "foreign-keys"(stage) {
    stage.begins();
    const records = someEvents(stage, 60);
    await append(stage, records.map((record, n) => ({ ...record, key: `session-${n}` })));
    await stage.usedFor(USED_MS);
  },
  async power(stage) {
    await dies(stage, "power", stage.random() < 0.5);
  },
  async "rotten-wal"(stage) {
    await dies(stage, "rotten-wal");
  },
  async "rotten-file"(stage) {
    await stage.stopAll();
    stage.begins();
    stage.rot();
    stage.startAll();
    await stage.usedFor(USED_MS);
  },
};

/** Kills everything in the middle of work. @param isAgain whether it was killed shortly before */
async function dies(stage: Stage, death: Death, isAgain = false): Promise<void> {
  const using = stage.usedFor(USED_MS);
  await pause(USED_MS * stage.random());
  const selling = sell(stage, 3 * SHORTLY_MS);
  await pause(SHORTLY_MS * stage.random());
  if (isAgain) {
    stage.killAll("process");
    stage.startAll();
    await pause(SHORTLY_MS * stage.random());
  }
  stage.begins();
  stage.killAll(death);
  stage.startAll();
  await Promise.all([using, selling]);
}

/** A shop that is busy, or quiet. */
async function sell({ world, topics, random, append }: Stage, durationMs: number): Promise<void> {
  const end = world.now + durationMs;
  const gapMs = SALE_MS * QUIET ** random();
  for (let n = 0; world.now < end; n++) {
    await pause(gapMs * random());
    const user = `other-${Math.floor(12 * random())}`;
    const time = Math.floor(EPOCH + world.now);
    const event = {
      type: "interaction",
      id: `sale-${n}`,
      user,
      time,
      item: `i${n % 20}`,
      action: "click",
    } as const;
    await append(toRecord(topics, event, user));
  }
}

/** Requests and clicks of a dozen people, at the current time. */
function someEvents({ topics, world, random }: Stage, count: number): NewRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const time = Math.floor(EPOCH + world.now) + n;
    const user = `other-${Math.floor(12 * random())}`;
    const event: Event = n % 3 === 0
      ? { type: "request", user, time, request: `other-list-${n}`, count: 4 }
      : { type: "interaction", user, time, item: `i${n % 20}`, action: "click" };
    return toRecord(topics, event, user);
  });
}

function toRecord({ events }: Topics, event: Event, key: string): NewRecord {
  return { topic: events, key, value: encodeEvent(event), time: event.time };
}

/** Appends like a producer that has just started, and knows the current topics. */
async function append(_: Stage, records: readonly NewRecord[]): Promise<void> {
  await using log = await KafkaLog.open({ brokers: ["broker:9092"], compression: "none" });
  for (const record of records) await log.append([record]);
}

/** Appends records to the input topics that none of our producers would write. */
export async function poison(stage: Stage, durationMs: number): Promise<void> {
  const { broker, topics, world, random } = stage;
  const end = world.now + durationMs;
  while (world.now < end) {
    await pause(durationMs / 8 * random());
    const time = Math.floor(EPOCH + world.now);
    const event = encodeEvent({ type: "interaction", user: "poison", time, item: "i1", action: "click" });
    const odd: Partial<NewRecord>[] = [
      { time: -1 },
      { time: -1, value: encoder.encode("no JSON") },
      { key: null },
      { value: null },
      { value: new Uint8Array(0) },
      { value: encoder.encode("null") },
      { time: 0 },
      { headers: { "before-event": "x", others: "x", pending: "x", input: "x", experiment: "x" } },
      { key: "\u0000", value: encoder.encode(`{"type":"forget","user":"","time":1}`) },
    ];
    const picked = odd[Math.floor(odd.length * random() ** 1.5)]!;
    const record: NewRecord = { topic: topics.events, key: "poison", value: event, time, ...picked };
    const partitions = broker.topics.get(topics.events)?.partitions ?? [];
    const partition = partitions[Math.floor(partitions.length * random())];
    const bytes = await encodeBatch([record], NO_PRODUCER, -1, "none");
    partition?.append(bytes, headOf(bytes));
    broker.wake();
  }
}

/** Events that have no effect, in sentences. */
export async function lossesOf(log: Log, topics: Topics): Promise<string[]> {
  const losses: string[] = [];
  const answered = new Map<string, number>();
  const partitions = (await log.topics()).get(topics.recommendations)?.partitions ?? 0;
  for (let p = 0; p < partitions; p++) {
    for await (const { value } of readAll(log, topics.recommendations, p)) {
      if (value === null) continue;
      const { request } = JSON.parse(new TextDecoder().decode(value)) as { readonly request: string };
      answered.set(request, (answered.get(request) ?? 0) + 1);
    }
  }
  const places = new Map<string, Set<number>>();
  const unanswered: string[] = [];
  const grown = (await log.topics()).get(topics.events)?.partitions ?? 0;
  for (let p = 0; p < grown; p++) {
    const { start } = await log.bounds(topics.events, p);
    const committed = await log.committed(`${topics.events}-tasks`, topics.events, p);
    if (start > 0) losses.push(`${topics.events}/${p} begins at ${start} since events were dropped unread`);
    if (committed === null) losses.push(`${topics.events}/${p} is read by nobody`);
    for await (const { value } of readAll(log, topics.events, p)) {
      const decoded = decodeEvent(value ?? new Uint8Array(0));
      if (!decoded.ok) continue;
      const { event } = decoded;
      places.set(event.user, (places.get(event.user) ?? new Set()).add(p));
      if (event.type === "request" && !answered.has(event.request)) unanswered.push(event.request);
    }
  }
  if (unanswered.length > 0) {
    losses.push(`${unanswered.length} requests on the log have no answer, such as ${unanswered[0]}`);
  }
  const split = [...places].filter(([, of]) => of.size > 1).map(([user]) => user);
  if (split.length > 0) losses.push(`${split.length} users are on several partitions, such as ${split[0]}`);
  return losses;
}

/** Events of a shop that are not on the log although the server confirmed them as durable, in sentences. */
export async function missingOf(log: Log, topics: Topics, ledger: Ledger, before: number): Promise<string[]> {
  const there = new Set<string>();
  const partitions = (await log.topics()).get(topics.events)?.partitions ?? 0;
  for (let p = 0; p < partitions; p++) {
    for await (const { value } of readAll(log, topics.events, p)) {
      if (value !== null) there.add(new TextDecoder().decode(value));
    }
  }
  const due = ledger.appended.filter(({ at }) => at < before);
  const gone = due.filter(({ text }) => !there.has(text));
  if (gone.length === 0) return [];
  const [first] = gone;
  return [
    `${gone.length} of ${due.length} events that were acknowledged are gone, such as ${first?.text}, ` +
    `${((before - (first?.at ?? 0)) / 1000).toFixed(1)} s earlier`,
  ];
}
