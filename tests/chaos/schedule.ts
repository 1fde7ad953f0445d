/**
 * When which process of a deployment suffers what: a pure function of a seed, so that a failed run can be repeated with
 * the same faults. What exactly the faults hit depends on the machine; hence their number.
 *
 * ```text
 *   task-0    ──x────┌──────────────▒▒▒▒▒▒▒▒──────    x killed, ┌ started again
 *   task-1    ───────────x──┌─────────────────────    ▒ stopped for longer than a session
 *   guest          ┌──────────┘                       joins, and leaves again
 *   learner-0 ──────────────────────────x───┌─────
 *   monitor-0 ────────x────┌──────────────────────
 *   broker    ─────────────────x────┌─────────────
 * ```
 *
 * @module
 */

import { mulberry32 } from "../../src/draws/random.ts";

/** Kinds of faults. */
export const FAULT_KINDS = [
  /** SIGKILL; started again `lastsMs` later. */
  "kill",
  /** SIGKILL of the process that monitors experiments; started again `lastsMs` later. */
  "kill-monitor",
  /** SIGSTOP, and SIGCONT `lastsMs` later: the process wakes up when others have its partitions. */
  "freeze",
  /** SIGTERM, after which it must exit with 0; started again `lastsMs` later. */
  "leave",
  /** Another process joins, and gets its SIGTERM `lastsMs` later. */
  "join",
  /** Another process joins, and is killed `lastsMs` after it was assigned its partitions: while it restores them. */
  "kill-joining",
  /** A process with tasks cannot write any file for `lastsMs`. */
  "full-disk",
  /** SIGKILL of a broker; started again `lastsMs` later. */
  "broker",
  /** SIGSTOP of one of three brokers, and SIGCONT `lastsMs` later: it wakes up as a leader that was replaced. */
  "broker-freeze",
  /** One of three cannot reach the others for `lastsMs`, but clients can reach it. */
  "broker-isolate",
  /** Clients cannot reach one of three for `lastsMs`, but the others can. */
  "broker-hide",
  /** SIGTERM of one of three, so that it hands over what it leads; started again `lastsMs` later. */
  "broker-leave",
] as const;

export type BrokerFault = Extract<FaultKind, `broker${string}`>;

/** Whether a broker suffers. */
export function isOfBroker(kind: FaultKind): kind is BrokerFault {
  return kind.startsWith("broker");
}

/** One of {@linkcode FAULT_KINDS}. */
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  /** When it begins, milliseconds from the start. */
  readonly atMs: number;
  /** What happens. */
  readonly kind: FaultKind;
  /** Name of the process: `task-0`, `learner-1`, `monitor-0`, `guest-3`, `broker`. */
  readonly target: string;
  /** See {@linkcode FAULT_KINDS}. */
  readonly lastsMs: number;
}

/** Options of {@linkcode makeSchedule}. */
export interface ScheduleOptions {
  /** Same seed, same schedule. */
  readonly seed: number;
  /** How often each kind occurs. @default {never} */
  readonly counts: Readonly<Partial<Record<FaultKind, number>>>;
  /** Processes that run tasks. @default {2} */
  readonly tasks?: number;
  /** Processes that learn, or stand by. @default {2} */
  readonly learners?: number;
  /** Processes that monitor experiments, or stand by. @default {1} */
  readonly monitors?: number;
  /** Mean time between two faults, milliseconds. @default {5000} */
  readonly gapMs?: number;
}

/** Shortest and longest duration of each kind, milliseconds. */
const LASTS: Readonly<Record<FaultKind, readonly [number, number]>> = {
  "kill": [0, 8000],
  "kill-monitor": [0, 8000],
  "freeze": [7500, 12_000],
  "leave": [0, 3000],
  "join": [2000, 8000],
  "kill-joining": [0, 400],
  "full-disk": [4000, 10_000],
  "broker": [200, 12_000],
  "broker-freeze": [5000, 15_000],
  "broker-isolate": [5000, 15_000],
  "broker-hide": [3000, 12_000],
  "broker-leave": [0, 3000],
};
/** How long a started process is left alone. */
const YOUNG_MS = 1000;
/** How long one may take to leave. */
const LEAVING_MS = 10_000;
/** One in so many kills, freezes or leaves is of a learner, or of a monitor. */
const LEARNER_SHARE = 0.25, MONITOR_SHARE = 0.1;

/** The faults, in the order of time. */
export function makeSchedule(options: ScheduleOptions): Fault[] {
  const { seed, counts, gapMs = 5000, tasks = 2, learners = 2, monitors = 1 } = options;
  const random = mulberry32(seed);
  const between = (low: number, high: number) => Math.round(low + random() * (high - low));
  const kinds = shuffle(
    FAULT_KINDS.flatMap((kind) => new Array<FaultKind>(counts[kind] ?? 0).fill(kind)),
    random,
  );
  const crew = { task: tasks, learner: learners, monitor: monitors };
  /** When each process has recovered. */
  const free = new Map<string, number>();
  const faults: Fault[] = [];
  let atMs = 0;
  for (const [n, kind] of kinds.entries()) {
    atMs += between(gapMs / 4, gapMs * 7 / 4);
    const lastsMs = between(...LASTS[kind]);
    const role = roleOf(kind, random());
    const names = Array.from({ length: crew[role] }, (_, i) => `${role}-${i}`);
    const target = isOfBroker(kind)
      ? "broker"
      : kind.includes("join")
      ? `guest-${n}`
      : earliest(shuffle(names, random), free, atMs);
    atMs = Math.max(atMs, free.get(target) ?? 0);
    free.set(target, atMs + (kind === "leave" ? LEAVING_MS : 0) + lastsMs + YOUNG_MS);
    faults.push({ atMs, kind, target, lastsMs });
  }
  return faults;
}

/** The process that suffers. @param chance in [0, 1) */
function roleOf(kind: FaultKind, chance: number): "task" | "learner" | "monitor" {
  if (kind === "kill-monitor") return "monitor";
  if (kind === "full-disk" || chance >= LEARNER_SHARE + MONITOR_SHARE) return "task";
  return chance < LEARNER_SHARE ? "learner" : "monitor";
}

/** When the last fault of a schedule is over, milliseconds from the start. */
export function endOf(schedule: readonly Fault[]): number {
  return Math.max(0, ...schedule.map(({ atMs, lastsMs }) => atMs + lastsMs));
}

/** A schedule for people: one line per fault. */
export function describe(schedule: readonly Fault[]): string {
  return schedule.map(({ atMs, kind, target, lastsMs }) =>
    `${(atMs / 1000).toFixed(1).padStart(8)} s  ${kind.padEnd(12)} ${target.padEnd(10)} for ${
      (lastsMs / 1000).toFixed(1)
    } s\n`
  ).join("");
}

/** The first name that is free at `atMs`, or else the one that is free first. */
function earliest(names: readonly string[], free: ReadonlyMap<string, number>, atMs: number): string {
  const from = (name: string) => Math.max(atMs, free.get(name) ?? 0);
  return names.reduce((best, name) => (from(name) < from(best) ? name : best));
}

function shuffle<T>(values: readonly T[], random: () => number): T[] {
  const shuffled = [...values];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
  }
  return shuffled;
}
