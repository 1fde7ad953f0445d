/**
 * What happens to a deployment: a pure function of a seed. Each seed uses some kinds of faults and leaves out the
 * others, so that one kind does not hide another.
 *
 * @module
 */

import { mulberry32 } from "../../src/draws/random.ts";
import type { Durability } from "../../streams/log/sqlite/durability.ts";
import type { Delivery } from "../../streams/topics/delivery.ts";

/** Faults that must not be visible in anything that the deployment says or keeps. */
export const FAULTS = [
  /** SIGKILL between any two steps; started again later. */
  "kill",
  /** SIGKILL a moment after a start: while it connects, joins, restores. */
  "kill-starting",
  /** SIGTERM; started again later. */
  "leave",
  /** SIGSTOP, usually for longer than a session: it wakes up as a zombie. */
  "freeze",
  /** It cannot reach the broker; pending requests are lost, or are done without an answer. */
  "cut",
  /** Everything takes it longer. */
  "slow",
  /** Another process joins, and leaves. */
  "join",
  /** The broker dies, and comes back. */
  "broker",
  /** Topics are compacted. */
  "compact",
] as const;

/** One of {@linkcode FAULTS}. */
export type FaultKind = (typeof FAULTS)[number];

/** Events from outside that take something away or add something bad: they may do harm, but not silently. */
export const TRIALS = [
  /** A client whose clock is nearly an hour ahead. */
  "clock-ahead",
  /** A client whose clock is an hour behind. */
  "clock-behind",
  /** Records that none of our producers writes, some of them without a timestamp. */
  "poison",
  /** Retention drops events that no task has read. */
  "retention",
  /** The deployment stands still for so long that the broker forgets its offsets. */
  "expiry",
  /** The topic of events is deleted and created again. */
  "recreate",
  /** Partitions are added to the topic of events. */
  "grow",
  /** A producer whose keys are not the users. */
  "foreign-keys",
  /** The machine of a SQLite log loses power: what was not synced is gone. */
  "power",
  /** A bit of the write-ahead log changes on the disk, or its end is lost. */
  "rotten-wal",
  /** A bit of the database changes on the disk, or its end is lost. */
  "rotten-file",
  /** The deployment switches from one generation to another and back, with its own faults: see `switching.ts`. */
  "switch",
] as const;

/** One of {@linkcode TRIALS}. */
export type Trial = (typeof TRIALS)[number];

/** Something that happens. */
export interface Fault {
  /** When it starts, milliseconds. */
  readonly at: number;
  readonly kind: FaultKind;
  /** Number of the process, modulo the number of processes. */
  readonly target: number;
  readonly lastsMs: number;
}

/** The processes. */
export type Topology = "roles" | "nodes" | "sqlite";

/** A run. */
export interface Plan {
  readonly seed: number;
  readonly topology: Topology;
  readonly partitions: number;
  /** Whether the broker's transactions are those of Kafka 4. */
  readonly isImplicit: boolean;
  readonly delivery: Delivery;
  /** What a SQLite log survives. */
  readonly durability: Durability;
  /** Whether tasks serve the newest version; then the right answers are unknown. */
  readonly isLive: boolean;
  /** How long people use it, milliseconds. */
  readonly durationMs: number;
  /** Mean time between two lists requested over HTTP, milliseconds. */
  readonly gapMs: number;
  readonly people: number;
  /** Share of messages that take a hundred times as long as most. */
  readonly tail: number;
  readonly trial: Trial | undefined;
  readonly faults: readonly Fault[];
}

const MEAN_LASTS_MS: Readonly<Record<FaultKind, number>> = {
  "kill": 5000,
  "kill-starting": 5000,
  "leave": 4000,
  "freeze": 9000,
  "cut": 9000,
  "slow": 15_000,
  "join": 12_000,
  "broker": 5000,
  "compact": 0,
};
/** Trials of a disk, on a SQLite log; all others run on Kafka. */
const OF_DISKS: ReadonlySet<Trial> = new Set(["power", "rotten-wal", "rotten-file"]);
/** Share of the runs that are a trial. */
const TRIALS_SHARE = 0.25;

/** Makes the plan of a seed. @param trial the trial, unless the seed decides whether there is one */
export function makePlan(seed: number, trial?: Trial | "none"): Plan {
  const random = mulberry32(Math.imul(seed, 0x9e3779b1) ^ 0x5eed);
  const below = (n: number) => Math.floor(random() * n);
  const durationMs = 50_000 + Math.floor(150_000 * random() ** 2);
  const kinds = FAULTS.filter(() => random() < 0.6);
  const count = below(3 + durationMs / 8000);
  const faults = Array.from({ length: kinds.length === 0 ? 0 : count }, (): Fault => {
    const kind = kinds[below(kinds.length)]!;
    const lastsMs = Math.round(MEAN_LASTS_MS[kind] * (0.1 + 2 * random() ** 2));
    return { at: 3000 + below(durationMs - 10_000), kind, target: below(1 << 16), lastsMs };
  }).toSorted((a, b) => a.at - b.at);
  const own = random() < TRIALS_SHARE ? TRIALS[below(TRIALS.length)] : undefined;
  const taken = trial === undefined ? own : trial === "none" ? undefined : trial;
  random(); // has no effect any more; without it each known seed would be another world
  const isSqlite = taken !== undefined && OF_DISKS.has(taken);
  const many = random() < 0.5 ? "roles" : "nodes";
  return {
    seed,
    durationMs,
    faults,
    topology: isSqlite ? "sqlite" : many,
    partitions: 2 + below(3),
    isImplicit: random() < 0.7,
    delivery: random() < 0.7 ? "exactly-once" : "at-least-once",
    isLive: random() < 0.2,
    gapMs: 800 + below(2500),
    people: 8 + below(40),
    tail: random() < 0.5 ? 0.01 : 0.0005,
    trial: taken,
    durability: random() < 0.4 ? "power" : "process",
  };
}

/** A plan in words. */
export function describePlan(plan: Plan): string {
  const { topology, partitions, isImplicit, delivery, durability, isLive, durationMs, trial, faults } = plan;
  const what = faults.map(({ at, kind, target, lastsMs }) =>
    `  ${(at / 1000).toFixed(1).padStart(7)} s ${kind} ${target % 8} for ${(lastsMs / 1000).toFixed(1)} s`
  );
  return [
    `seed ${plan.seed}: ${topology}${
      topology === "sqlite" ? ` (${durability})` : ""
    }, ${partitions} partitions, transactions ${isImplicit ? 2 : 1}, ${delivery}, ` +
    `${isLive ? "newest version" : "version 1"}, ${(durationMs / 1000).toFixed(0)} s` +
    `${trial === undefined ? "" : `, trial ${trial}`}`,
    ...what,
  ].join("\n");
}
