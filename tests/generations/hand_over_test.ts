/** What handOver() calls, and in which order, whatever happens; everything around it is a stub. */

import assert from "node:assert/strict";
import { CannotSwitchYet } from "../../streams/generations/online/legs.ts";
import { handOver, type HandOverOptions } from "../../streams/generations/online/hand_over.ts";
import { LogError } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { pause } from "../../streams/log/pause.ts";
import { TASK_KEY } from "../../src/engine/task_codec.ts";
import { encodeInputs, INPUTS, PARTITIONS } from "../../streams/task/inputs/position.ts";
import { encodeGeneration, type Generation } from "../../streams/topics/generations.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();
/** Longest first attempt to stop tasks at one place. */
const EVEN_MS = 1000;
/** An attempt looks at the clock a few dozen times. */
const MOST_LOOKS = 300;
const FENCED = new LogError("fenced", "another process has taken it back");

interface Told {
  /** Number of partitions of the events, of tasks before and after. */
  readonly of: readonly [partitions: number, before: number, after: number];
  /** Where the serving tasks are. @default {at 0} */
  readonly at?: readonly number[];
  /** Called with each entry of `said`. */
  readonly when?: (said: string, scene: Scene) => unknown;
  /** @default {20_000} */
  readonly patienceMs?: number;
  /** How far the clock goes when it is looked at, milliseconds. @default {1} */
  readonly tickMs?: number;
}

/** A generation that hands over to another one. */
class Scene {
  /** What was called. */
  readonly said: string[] = [];
  readonly ending = new AbortController();
  timeMs = 0;
  readonly log = new MemoryLog();
  readonly #told: Told;
  /** How often the clock was looked at. */
  #looks = 0;

  constructor(told: Told) {
    this.#told = told;
  }

  /** Moves the serving tasks. */
  async move(places: readonly number[]): Promise<void> {
    const [partitions] = this.#told.of;
    await this.log.append(places.map((next, partition) => ({
      topic: topics.statistics,
      partition,
      key: TASK_KEY,
      value: new Uint8Array(1),
      time: 0,
      headers: { [INPUTS]: encodeInputs(next, {}), [PARTITIONS]: String(partitions) },
    })));
  }

  async say(what: string): Promise<void> {
    this.said.push(what);
    await this.#told.when?.(what, this);
  }

  async play() {
    const { of: [partitions, before, after], at, patienceMs = 20_000, tickMs = 1 } = this.#told;
    const blueprint = { model: "base", variants: [], partitions: after, seed: 0, options: {} };
    const generation: Generation = { number: 2, blueprint, since: 0, isAdopted: false };
    await this.log.createTopics(
      topicSpecs(topics, partitions).map((spec) => {
        return spec.name === topics.statistics ? { ...spec, partitions: before } : spec;
      }),
    );
    await this.log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
    const value = encodeGeneration({ ...generation, number: 1, blueprint: { ...blueprint, seed: 7 } });
    await this.log.append([{ topic: topics.generations, partition: 0, key: "1", value, time: 0 }]);
    await this.move(at ?? new Array(before).fill(0));

    const disposed = (what: string) => ({ [Symbol.asyncDispose]: () => this.say(what) });
    const next = { hasJoined: false, tasks: new Map(), stop: () => this.say("stop the new one") };
    const old = { stop: () => this.say("stop the old one") };
    const place = { current: old, release: () => this.say("release") };
    const gentle = { restedMs: 100, end: () => this.say("rest no more") };
    const parts = {
      gentle,
      legs: {
        beside: async (work: Promise<void>) => await work,
        catchUp: async (follow: () => Promise<number>) => {
          this.ending.signal.throwIfAborted();
          await this.say(`caught up, rested ${await follow()}`);
        },
        finish: () => this.say("last leg"),
      },
      standby: {
        warm: {},
        ends: new Array(after).fill(Infinity),
        follow: async () => {
          gentle.restedMs += 7;
          await this.say("follow");
        },
        takeOver: async () => {
          await this.say("open");
          return new Map([[0, disposed("close")]]);
        },
      },
      notes: {
        closing: (closing: { to: number; ends: readonly number[] } | null) =>
          this.say(closing === null ? "take back" : `close for ${closing.to} at ${closing.ends}`),
        serves: ({ blueprint: { seed } }: Generation) => this.say(`serves instead of ${seed}`),
      },
    };
    const succession = {
      patienceMs,
      place,
      suspend: () => this.say("suspend"),
      resume: () => this.say("resume"),
      fence: async (serving: number, count: number) => {
        await this.say(`fence ${count} of ${serving}`);
        return disposed("let go");
      },
      replace: async (number: number) => {
        await this.say(`replace by ${number}`);
        place.current = next;
        return old;
      },
    };
    const start = async (warm: { readonly tasks: Promise<Map<number, unknown>> }) => {
      void warm.tasks.then(async (tasks) => {
        await pause(20, this.ending.signal);
        await this.say("answer");
        next.tasks = tasks;
      });
      void pause(20, this.ending.signal).then(async () => {
        if (this.#told.when === NEVER_JOINS) return;
        await this.say("joined");
        next.hasJoined = true;
      });
      await this.say("start");
      return next;
    };
    const options = {
      topics,
      serving: 1,
      generation,
      signal: this.ending.signal,
      closeAgainMs: 1,
      succession,
      start,
      clock: () => {
        assert.ok(++this.#looks < MOST_LOOKS, "goes on for ever");
        return this.timeMs += tickMs;
      },
    };
    // Stand-ins for classes with private fields, with only what handOver() uses.
    const [played, how] = [parts as never, options as unknown as HandOverOptions];
    return await handOver(this.log, played, how).finally(() => this.ending.abort());
  }
}

const NEVER_JOINS = () => {};
const BEGUN = ["start", "joined", "follow", "caught up, rested 7", "suspend"];
const DONE = ["rest no more", "last leg", "open", "serves instead of 7", "answer", "replace by 2"];
const ENDED = ["stop the old one", "let go"];
const AGAIN = ["follow", "caught up, rested 7", "suspend"];

Deno.test("handOver() fences the old tasks before the last leg, and lets go of them once the new ones answer", async () => {
  for (const sizes of [[2, 2, 2], [2, 2, 6], [2, 4, 4]] as const) {
    const scene = new Scene({ of: sizes, at: [3, 5, 4, 6].slice(0, sizes[1]) });
    const { isSwitched, pauseMs } = await scene.play();
    const ends = new Array(sizes[1]).fill(0).join();
    const closed = [`close for 2 at ${ends}`, "release", `fence ${sizes[1]} of 1`];
    assert.deepEqual(scene.said, [...BEGUN, ...closed, ...DONE, ...ENDED], `${sizes}`);
    assert.ok(isSwitched && pauseMs > 0);
  }
});

Deno.test("handOver() proceeds when the new service has not joined within ten seconds", async () => {
  const scene = new Scene({ of: [1, 1, 1], when: NEVER_JOINS, tickMs: 3000 });
  assert.ok((await scene.play()).isSwitched);
  assert.ok(!scene.said.includes("joined"));
});

Deno.test("handOver() stops tasks that share a partition at the furthest one, even if it has moved on meanwhile", async () => {
  const when = async (said: string, scene: Scene) => {
    if (said === "close for 2 at 5,3,5,3") await scene.move([6, 3, 5, 3]);
    if (said === "close for 2 at 6,3,6,3") await scene.move([6, 3, 6, 3]);
  };
  const scene = new Scene({ of: [2, 4, 2], at: [5, 3, 4, 3], when });
  assert.ok((await scene.play()).isSwitched);
  const closed = ["close for 2 at 5,3,5,3", "close for 2 at 6,3,6,3", "release", "fence 4 of 1"];
  assert.deepEqual(scene.said, [...BEGUN, ...closed, ...DONE, ...ENDED]);
});

Deno.test("handOver() takes back an attempt when tasks do not stop at one place in time, and doubles the limit", async () => {
  const longest: number[] = [];
  let begun = 0;
  const when = async (said: string, scene: Scene) => {
    if (said === "suspend") begun = scene.timeMs;
    if (said === "take back" && longest.push(scene.timeMs - begun) === 2) await scene.move([5, 5]);
  };
  const scene = new Scene({ of: [1, 2, 1], at: [5, 4], when, tickMs: 100 });
  assert.ok((await scene.play()).isSwitched);
  const [close, back] = ["close for 2 at 5,5", ["take back", "resume"]];
  const closed = [close, "release", "fence 2 of 1"];
  assert.deepEqual(
    scene.said,
    [...BEGUN, close, ...back, ...AGAIN, close, ...back, ...AGAIN, ...closed, ...DONE, ...ENDED],
  );
  const [first, second] = longest;
  assert.ok(first! >= EVEN_MS && first! <= EVEN_MS + 500, `${longest}`);
  assert.ok(second! >= 2 * EVEN_MS && second! <= 2 * EVEN_MS + 500, `${longest}`);
});

Deno.test("handOver() spends at most half of patienceMs on stopping tasks at one place", async () => {
  let [begun, took] = [0, 0];
  const when = async (said: string, scene: Scene) => {
    if (said === "suspend") begun = scene.timeMs;
    if (said !== "take back") return;
    took = scene.timeMs - begun;
    await scene.move([5, 5]);
  };
  const scene = new Scene({ of: [1, 2, 1], at: [5, 4], when, tickMs: 10, patienceMs: 600 });
  await scene.play();
  assert.ok(took >= 300 && took < 400, `${took}`);
});

Deno.test("handOver() takes back an attempt when a task went past its end before it was fenced, and retries", async () => {
  let fences = 0;
  const when = async (said: string, scene: Scene) => {
    if (said === "fence 2 of 1" && ++fences === 1) await scene.move([6, 5]);
    if (said === "take back") await scene.move([6, 6]);
  };
  const scene = new Scene({ of: [1, 2, 1], at: [5, 5], when });
  assert.ok((await scene.play()).isSwitched);
  const fenced = ["release", "fence 2 of 1"];
  const first = ["close for 2 at 5,5", ...fenced, "take back", "resume", "let go"];
  const second = ["close for 2 at 6,6", ...fenced];
  assert.deepEqual(scene.said, [...BEGUN, ...first, ...AGAIN, ...second, ...DONE, ...ENDED]);
});

Deno.test("handOver() takes back an attempt at once when the process is told to stop", async () => {
  const when = (said: string, { ending }: Scene) => {
    if (said.startsWith("close for")) ending.abort();
  };
  const scene = new Scene({ of: [1, 2, 1], at: [5, 4], when });
  await assert.rejects(scene.play(), { name: "AbortError" });
  const back = ["take back", "resume"];
  assert.deepEqual(scene.said, [...BEGUN, "close for 2 at 5,5", ...back, "stop the new one", ...back]);
  assert.ok(scene.timeMs < 100, `${scene.timeMs}`);
});

for (const taken of [true, false]) {
  Deno.test(`handOver() closes what it has opened ${taken ? "when the switch is taken back" : "when a record cannot be written"}`, async () => {
    const error = taken ? FENCED : new LogError("unreachable", "the log is gone");
    const when = (said: string) => {
      if (said.startsWith("serves")) throw error;
    };
    const scene = new Scene({ of: [1, 1, 1], when });
    const failed = await scene.play().then(() => undefined, (why: unknown) => why);
    if (taken) assert.ok(failed instanceof CannotSwitchYet && failed.cause === error);
    else assert.equal(failed, error);
    const closed = ["close for 2 at 0", "release", "fence 1 of 1", "rest no more", "last leg", "open"];
    const back = ["serves instead of 7", "close", "let go", "stop the new one", "take back", "resume"];
    assert.deepEqual(scene.said, [...BEGUN, ...closed, ...back]);
  });
}

Deno.test("handOver() passes on a fenced error that comes while nothing is closed", async () => {
  for (const attempt of [1, 2]) {
    let attempts = 0;
    const when = (said: string) => {
      if (said.startsWith("caught up") && ++attempts === attempt) throw FENCED;
    };
    const scene = new Scene({ of: [1, 2, 1], at: [5, 4], when, tickMs: 500 });
    await assert.rejects(scene.play(), FENCED, `attempt ${attempt}`);
    assert.deepEqual(scene.said.slice(-3), ["stop the new one", "take back", "resume"]);
  }
});

Deno.test("handOver() leaves the new service running when the old one cannot be stopped", async () => {
  const error = new Error("cannot stop");
  const when = (said: string) => {
    if (said === "stop the old one") throw error;
  };
  const scene = new Scene({ of: [1, 1, 1], when });
  await assert.rejects(scene.play(), error);
  assert.ok(!scene.said.includes("stop the new one"));
});
