/**
 * Replaces the clock, timers and random numbers of the process with those of a simulated world. This must be loaded
 * before anything that is simulated.
 *
 * @module
 */

import type { Happening, World } from "./world.ts";

/** The moment at which worlds begin: 2025-01-01. */
export const EPOCH: number = Date.UTC(2025, 0, 1);
/** A longer timer fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** Duration of a turn of an event loop, milliseconds. */
const TURN_MS = 0.02;

let world: World | undefined;
let uuids: (() => number) | undefined;
const RealDate = Date;

/** Makes a world the current one of the process; `undefined` restores the process's own globals. */
export function enter(next: World | undefined): void {
  world = next;
  uuids = next?.random("uuids");
  timers.clear();
}

/** The current world. @throws Error when there is none */
export function here(): World {
  if (world === undefined) throw new Error("Cannot wait in a simulated world: there is none");
  return world;
}

/** Runs something at the next turn of an event loop. */
export function nextTurn(run: () => void): Happening {
  const w = here();
  return w.schedule(w.current, TURN_MS, "turn", run);
}

/** Milliseconds since the epoch, by the clock of the current owner. */
function wallClock(): number {
  if (world === undefined) return RealDate.now();
  return Math.floor(EPOCH + world.now + world.current.skewMs);
}

const timers = new Map<number, Happening>();
let lastTimer = 1 << 30;
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  performanceNow: performance.now.bind(performance),
  random: Math.random,
  randomUUID: crypto.randomUUID.bind(crypto),
};

/** Milliseconds of real time. */
export function realNow(): number {
  return real.performanceNow();
}

function after(ms: unknown, run: () => void, isRepeated: boolean): number {
  const w = here();
  const owner = w.current;
  const wanted = Number(ms);
  const wait = wanted >= 1 && wanted <= MAX_TIMEOUT_MS ? wanted : 1;
  const id = ++lastTimer;
  const set = () => {
    const timer = w.schedule(owner, wait, isRepeated ? "interval" : "timer", () => {
      if (isRepeated) set();
      else timers.delete(id);
      run();
    });
    timers.set(id, timer);
  };
  set();
  return id;
}

function clear(id: unknown): void {
  const timer = timers.get(Number(id));
  if (timer === undefined) return;
  timer.isOff = true;
  timers.delete(Number(id));
}

type Callback = (...args: unknown[]) => void;

class SimulatedDate extends RealDate {
  constructor(...args: unknown[]) {
    super(...(args.length === 0 ? [wallClock()] : args) as [number]);
  }

  static override now(): number {
    return wallClock();
  }
}

Object.assign(globalThis, {
  setTimeout: (run: Callback, ms?: number, ...args: unknown[]) =>
    world === undefined ? real.setTimeout(run, ms, ...args) : after(ms, () => run(...args), false),
  setInterval: (run: Callback, ms?: number, ...args: unknown[]) =>
    world === undefined ? real.setInterval(run, ms, ...args) : after(ms, () => run(...args), true),
  clearTimeout: (id?: number) => world === undefined ? real.clearTimeout(id) : clear(id),
  clearInterval: (id?: number) => world === undefined ? real.clearInterval(id) : clear(id),
  Date: SimulatedDate,
});
Object.defineProperty(performance, "now", { value: () => world?.now ?? real.performanceNow() });
Math.random = () => uuids?.() ?? real.random();
Object.defineProperty(crypto, "randomUUID", {
  value: () => {
    if (uuids === undefined) return real.randomUUID();
    const part = (digits: number) => Math.floor(uuids!() * 16 ** digits).toString(16).padStart(digits, "0");
    return `${part(8)}-${part(4)}-4${part(3)}-a${part(3)}-${part(6)}${part(6)}`;
  },
});
