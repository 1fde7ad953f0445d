/**
 * A simulated world: one clock, one queue of what happens, and one seed that decides everything else.
 *
 * ```text
 *   queue   ─┬─ 12.4 ms  task-0   an answer of the broker
 *            ├─ 12.9 ms  broker   a request of learner-0
 *            └─ 13.0 ms  web-0    a timer                     each is a step: it runs, and so do all promises that it
 *                                                             settles, before the next one is taken
 * ```
 *
 * Everything the engine waits for is in that queue, under the name of the simulated process that waits. So a process
 * can be killed between any two steps: what it waits for never comes, as after `kill -9`.
 *
 * @module
 */

import { mulberry32 } from "../../src/draws/random.ts";

/** What running code belongs to: a process, people, or the world itself. */
export interface Owner {
  /** Its name in traces. */
  readonly name: string;
  /** Small and unique. */
  readonly id: number;
  /** Whether it still runs; steps of dead owners are skipped. */
  isAlive: boolean;
  /** Time until which it stands still: as after SIGSTOP, or on a busy machine. */
  frozenUntil: number;
  /** How far its wall clock is ahead of the world's, milliseconds. */
  skewMs: number;
  /** Longest time a step of it may take, milliseconds: a slow machine is late with everything. */
  lagMs: number;
}

/** A step that will happen. */
export interface Happening {
  at: number;
  readonly order: number;
  readonly owner: Owner;
  readonly label: string;
  readonly run: () => void;
  isOff: boolean;
}

/** Numbers from 0 to 1. */
export type Random = () => number;

/** The world stalled although something was awaited. */
export class Stalled extends Error {
  override name = "Stalled";
}

/** Runs pending promises, as the event loop does after each of its tasks. */
// deno-lint-ignore no-explicit-any -- Deno has no other way to run microtasks within a task
const internals = Deno as any;
const runMicrotasks: () => void = internals[internals.internal].core.runMicrotasks;
/**
 * Turns of the real event loop to wait for what is not simulated, such as a digest, before the world counts as stalled.
 */
const PATIENCE_TURNS = 200_000;
/** Steps between two turns of the real event loop. */
const STEPS_A_TURN = 4096;
const realTurn = setImmediateOf();

/** See the module. */
export class World {
  /** Milliseconds since the beginning. */
  now = 0;
  /** Number of steps, without turns of event loops. */
  steps = 0;
  /** Turns of event loops: steps that only yield to others. */
  turns = 0;
  /** The owner whose code runs now. */
  current: Owner;
  /** The owner that created the world. */
  readonly self: Owner;
  /** Called with each step; for people. */
  onStep: ((at: number, owner: string, label: string) => void) | undefined;
  /** Called when a callback of a process has thrown. */
  onCrash: (owner: Owner, error: unknown) => void = (_, error) => {
    throw error;
  };
  readonly #seed: number;
  readonly #heap: Happening[] = [];
  readonly #labels = new Map<string, number>();
  #order = 0;
  #owners = 0;
  #high = 0x811c9dc5;
  #low = 0x2545f491;

  /** The seed decides everything in it. */
  constructor(seed: number) {
    this.#seed = seed;
    this.self = this.current = this.owner("world");
  }

  /** Creates an owner. */
  owner(name: string): Owner {
    return { name, id: this.#owners++, isAlive: true, frozenUntil: 0, skewMs: 0, lagMs: 0 };
  }

  /** Random numbers for one purpose: drawing more of one kind does not change another. */
  random(purpose: string): Random {
    let hash = this.#seed | 0;
    for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193);
    return mulberry32(hash ^ hash >>> 15);
  }

  /** Digest of everything so far, as 16 hexadecimal digits: equal only for equal worlds. */
  get digest(): string {
    return [this.#high, this.#low].map((part) => (part >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** Takes a number into the digest. */
  note(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x01000193);
    this.#low = Math.imul(this.#low + value ^ this.#low >>> 13, 0x5bd1e995);
  }

  /** Schedules a step of an owner after a while. */
  schedule(owner: Owner, ms: number, label: string, run: () => void): Happening {
    const at = this.now + Math.max(0, ms) + (owner.lagMs > 0 ? owner.lagMs : 0);
    const happening = { at, order: this.#order++, owner, label, run, isOff: false };
    this.#push(happening);
    return happening;
  }

  /** Runs the next step. @returns whether there was one */
  step(): boolean {
    for (;;) {
      const next = this.#pop();
      if (next === undefined) return false;
      const { owner, label } = next;
      if (next.isOff || !owner.isAlive) continue;
      if (owner.frozenUntil > next.at) {
        next.at = owner.frozenUntil;
        this.#push(next);
        continue;
      }
      this.now = Math.max(this.now, next.at);
      if (label === "turn") this.turns++;
      else this.steps++;
      this.note(this.#labelled(label) ^ owner.id << 8 ^ Math.floor(this.now * 1000));
      this.onStep?.(this.now, owner.name, label);
      this.current = owner;
      next.isOff = true;
      try {
        next.run();
      } catch (error) {
        this.onCrash(owner, error);
      }
      runMicrotasks();
      this.current = this.self;
      return true;
    }
  }

  /** Runs steps until a condition holds. @throws Stalled when no step is left and it does not hold */
  async until(isSo: () => boolean): Promise<void> {
    for (let idle = 0; !isSo();) {
      const moved = await new Promise<boolean>((resolve, reject) =>
        realTurn(() => {
          try {
            let steps = 0;
            while (steps < STEPS_A_TURN && !isSo() && this.step()) steps++;
            resolve(steps > 0);
          } catch (error) {
            reject(error);
          }
        })
      );
      idle = moved ? 0 : idle + 1;
      if (idle > PATIENCE_TURNS) throw new Stalled("nothing happens any more, and something is waited for");
    }
  }

  /** Runs something in the name of the world, and runs steps until it has ended. */
  async finish<Result>(work: () => Promise<Result>): Promise<Result> {
    let outcome: { readonly value: Result } | { readonly error: unknown } | undefined;
    this.schedule(this.self, 0, "work", () => {
      work().then((value) => outcome = { value }, (error) => outcome = { error });
    });
    await this.until(() => outcome !== undefined);
    if (outcome !== undefined && "value" in outcome) return outcome.value;
    throw outcome?.error;
  }

  #labelled(label: string): number {
    let known = this.#labels.get(label);
    if (known === undefined) this.#labels.set(label, known = this.#labels.size);
    return known;
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.push(happening) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(happening, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = happening;
  }

  #pop(): Happening | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || a.at === b.at && a.order < b.order;
}

/** The event loop's own, whatever replaces it later. */
function setImmediateOf(): (run: () => void) => void {
  const { setImmediate } = globalThis as unknown as { readonly setImmediate: (run: () => void) => void };
  return setImmediate.bind(globalThis);
}
