/**
 * People who use a deployment over HTTP, and a shop that writes its events to the log itself.
 *
 * @module
 */

import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { NewRecord } from "../../streams/log/log.ts";
import { EPOCH, here } from "./globals.ts";
import type { Asked, Clicked, Ledger, Sent } from "./ledger.ts";
import { type Answer, serversHere } from "./servers.ts";
import type { Owner, Random, World } from "./world.ts";

/** Options of {@linkcode People}. */
export interface PeopleOptions {
  /** Their ids. */
  readonly users: readonly string[];
  /** Mean time between two lists, milliseconds. */
  readonly gapMs: number;
  /** For how long they go on. */
  readonly durationMs: number;
  /** How long a click counts, milliseconds. */
  readonly windowMs: number;
  /** The servers that they may use. */
  readonly servers: () => readonly Owner[];
  /** A user whose clock is wrong by so many milliseconds, and who sends events with that time now and then. */
  readonly skewMs: number | undefined;
  /** Whether some users ask to be forgotten. */
  readonly forgets: boolean;
  /** Prefix of the ids of their lists and clicks. @default {""} */
  readonly prefix?: string;
}

const COUNT = 6;
const TRIES = 8;
const CLICKS = 0.3;

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Lets people use the deployment until the time is over, and notes what they do. */
export class People {
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #options: PeopleOptions;
  readonly #random: Random;
  #lists = 0;
  #events = 0;

  /** Nothing has happened yet. */
  constructor(ledger: Ledger, options: PeopleOptions) {
    this.#world = here();
    this.#ledger = ledger;
    this.#options = options;
    this.#random = this.#world.random("people");
  }

  /** Starts them; resolves when all is done. */
  async run(): Promise<void> {
    const { gapMs, durationMs, users, skewMs, forgets } = this.#options;
    const visits: Promise<void>[] = [];
    const end = this.#world.now + durationMs;
    while (this.#world.now < end) {
      await pause(-gapMs * Math.log(1 - this.#random()));
      const user = users[Math.floor(users.length * this.#random() ** 2)]!;
      visits.push(this.#visit(user));
      if (skewMs !== undefined && this.#random() < 0.05) visits.push(this.#stray(skewMs));
      if (this.#random() < 0.004 && forgets) visits.push(this.#forget(user));
    }
    await Promise.all(visits);
  }

  /** A user requests a list and clicks on some of it, usually in time. */
  async #visit(user: string): Promise<void> {
    const { windowMs, prefix = "" } = this.#options;
    const request = `${prefix}list-${++this.#lists}`;
    const asked: Asked = {
      user,
      id: request,
      at: this.#world.now,
      acknowledgedAt: undefined,
      time: undefined,
      items: undefined,
    };
    this.#ledger.asked.push(asked);
    // A retry would give another list: without an answer, the user sees none.
    const answer = await this.#ask("POST", "/v1/recommend", { user, request, count: COUNT });
    if (answer.status !== 200) return;
    asked.acknowledgedAt = this.#world.now;
    const { items, time } = JSON.parse(answer.text) as {
      readonly items: readonly { readonly item: string }[];
      readonly time: number;
    };
    asked.items = items.map(({ item }) => item);
    asked.time = time - EPOCH;
    const clicks = asked.items.filter(() => this.#random() < CLICKS);
    await Promise.all(clicks.map(async (item) => {
      // Most at once, some at the last moment, some too late.
      await pause(windowMs * 1.3 * this.#random() ** 3);
      const id = `${prefix}click-${++this.#events}`;
      const clicked: Clicked = { user, id, request, item, at: this.#world.now, acknowledgedAt: undefined };
      this.#ledger.clicked.push(clicked);
      await this.#send(clicked, { type: "interaction", id, user, item, action: "click", request });
    }));
  }

  /** An event of a user whose clock is wrong. */
  async #stray(skewMs: number): Promise<void> {
    const user = "wrong-clock";
    this.#ledger.skewed.add(user);
    const time = Math.floor(EPOCH + this.#world.now + skewMs);
    const id = `stray-${++this.#events}`;
    await this.#ask("POST", "/v1/events", {
      type: "interaction",
      id,
      user,
      time,
      item: "i1",
      action: "view",
    });
  }

  async #forget(user: string): Promise<void> {
    const answer = await this.#ask("DELETE", `/v1/users/${user}`);
    if (answer.status === 0 || answer.status < 300) this.#ledger.forgotten.set(user, this.#world.now);
  }

  /** Sends an event until a server accepts it. */
  async #send(sent: Sent, event: object): Promise<void> {
    for (let n = 0; n < TRIES; n++) {
      const { status } = await this.#ask("POST", "/v1/events", event);
      if (status === 200) {
        sent.acknowledgedAt = this.#world.now;
        return;
      }
      await pause(500 * 2 ** n);
    }
  }

  async #ask(method: string, path: string, body?: object): Promise<Answer> {
    const servers = this.#options.servers();
    const server = servers[Math.floor(this.#random() * servers.length)];
    if (server === undefined) return { status: 0, text: "" };
    const answer = await serversHere().ask(server, method, path, body);
    this.#ledger.answered(answer.status);
    return answer;
  }
}

/** Appends records when their time has come. */
export async function shop(
  records: Iterable<NewRecord>,
  append: (record: NewRecord) => Promise<void>,
): Promise<number> {
  const world = here();
  let appended = 0;
  for (const record of records) {
    await pause(Math.max(0, record.time - EPOCH - world.now));
    await append(record);
    appended++;
  }
  return appended;
}

const REOPEN_MS = 500;

/** Appends to the log itself, each record until it is durable: some may be duplicated. */
export function kafkaAppender(): (record: NewRecord) => Promise<void> {
  const open = () => KafkaLog.open({ brokers: ["broker:9092"], compression: "none" });
  let log = open();
  return async (record) => {
    for (;;) {
      try {
        await (await log).append([record]);
        return;
      } catch {
        await pause(REOPEN_MS);
        log = open();
      }
    }
  };
}
