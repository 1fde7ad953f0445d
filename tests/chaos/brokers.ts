/**
 * The brokers of a run: one that dies and comes back, or three that suffer in turn. Only one suffers at a time: with
 * three replicas, of which a write needs two, more would be too many.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { Log, LogUse } from "../../streams/log/log.ts";
import { BrokerCluster, NODES } from "./broker_cluster.ts";
import { RestartingBroker } from "./restarting_broker.ts";
import type { BrokerFault } from "./schedule.ts";

/**
 * How often in a row brokers must report that all is well: any of them is asked, and one that was away may not know
 * yet.
 */
const CERTAIN_TIMES = 8;
const CERTAIN_MS = 100;

/** Brokers that suffer. */
export interface Brokers extends AsyncDisposable {
  /** Addresses as clients want them. */
  readonly addresses: readonly string[];
  /** Lets one suffer for a while; resolves when that is over. */
  suffer(fault: BrokerFault, lastsMs: number): Promise<void>;
}

export async function oneBroker(data: string): Promise<Brokers> {
  const broker = await RestartingBroker.start(data);
  return {
    addresses: [broker.address],
    suffer: (_, lastsMs) => broker.restart(lastsMs),
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}

/** Three of them. @param isWhole resolves when every broker is in sync again */
export async function threeBrokers(data: string, isWhole: () => Promise<void>): Promise<Brokers> {
  const cluster = await BrokerCluster.start(data);
  let last = Promise.resolve();
  let turn = 0;
  return {
    addresses: cluster.addresses,
    suffer(fault, lastsMs) {
      return last = last.then(async () => {
        await isWhole();
        const node = NODES[turn++ % NODES.length] ?? 1;
        await cluster[VERBS[fault]](node, () => delay(lastsMs));
      });
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

const VERBS = {
  "broker": "kill",
  "broker-freeze": "freeze",
  "broker-isolate": "isolate",
  "broker-hide": "hide",
  "broker-leave": "leave",
} as const;

/**
 * Resolves when every broker is in sync again for some topics.
 *
 * @throws Error after so long, with what is behind
 */
export async function wholeAgain(log: Log, topics: readonly string[], longestMs: number): Promise<void> {
  const use: LogUse = { prefix: "", topics, kept: [], events: null, group: "none", triesRights: false };
  const since = performance.now();
  for (let times = 0; times < CERTAIN_TIMES; await delay(CERTAIN_MS)) {
    const remarks = await log.review?.(use) ?? [];
    times = remarks.length === 0 ? times + 1 : 0;
    if (performance.now() - since > longestMs) throw new Error(remarks.map(({ what }) => what).join("; "));
  }
}
