import assert from "node:assert/strict";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Backlog, type BacklogOptions, followedEvents } from "../../streams/http/backlog.ts";
import { startHttp } from "../../streams/server/http.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { Problem } from "../../streams/http/contract/problem.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();
const LOOK_MS = 100;

/** A log, its tasks, a clock that a test sets, and a backlog. */
class Scene implements AsyncDisposable {
  readonly log = new MemoryLog();
  readonly backlog: Backlog;
  now = 0;
  #applied: number[];

  private constructor(partitions: number, options: Partial<BacklogOptions>) {
    this.#applied = new Array(partitions).fill(0);
    this.backlog = new Backlog(followedEvents(() => ({ log: this.log, partitions }), topics), {
      maxBehindMs: 1000,
      clock: () => this.now,
      ...options,
    });
  }

  static async begin(partitions = 1, options: Partial<BacklogOptions> = {}): Promise<Scene> {
    const scene = new Scene(partitions, options);
    await scene.log.createTopics(topicSpecs(topics, partitions));
    return scene;
  }

  /** Appends events without going through the backlog. */
  async append(events: number, partition = 0): Promise<void> {
    const event = { topic: topics.events, partition, key: "ann", value: null, time: 0 };
    await this.log.append(Array.from({ length: events }, () => event));
  }

  async apply(events: number, partition = 0): Promise<void> {
    const offset = this.#applied[partition]! + events;
    this.#applied[partition] = offset;
    await using writer = await this.log.writer(`w${partition}`);
    const offsets = [{ topic: topics.events, partition, offset }];
    await writer.commit({ records: [], group: `${topics.events}-tasks`, offsets });
  }

  /** Sends events. @returns whether they are on the log, as far as they come without tasks or clock */
  async send(
    events: number,
    caller = "a",
    { partition = 0, work = events }: { readonly partition?: number; readonly work?: number } = {},
  ): Promise<{ state: "waits" | "taken" | Problem }> {
    const sent: { state: "waits" | "taken" | Problem } = { state: "waits" };
    this.backlog.enter({ caller, events, work }, () => this.append(events, partition)).then(
      () => sent.state = "taken",
      (error) => sent.state = error,
    );
    await this.turns();
    return sent;
  }

  /** Lets time pass, so that the log is looked at again. */
  async pass(ms = LOOK_MS): Promise<void> {
    this.now += ms;
    await new Promise((resolve) => setTimeout(resolve, 1.5 * LOOK_MS)); // the real timer between looks
  }

  async turns(): Promise<void> {
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets the backlog see tasks apply so many events per second, with nothing left. */
  async measure(perSecond: number): Promise<void> {
    await this.send(0);
    await this.append(perSecond);
    await this.apply(perSecond);
    this.now += 1000;
    await this.send(0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.log[Symbol.asyncDispose]();
  }
}

Deno.test("Backlog.enter() takes as many events as tasks of all partitions can apply in time at their measured rate", async () => {
  for (const rate of [2000, 10_000]) {
    await using scene = await Scene.begin(2);
    await scene.measure(rate);
    const first = await scene.send(rate / 2, "a"), second = await scene.send(rate / 2, "a", { partition: 1 });
    const third = await scene.send(1, "a", { partition: 1 });
    assert.deepEqual(
      [first, second, third].map(({ state }) => state),
      ["taken", "taken", "waits"],
      `${rate}`,
    );
    await scene.apply(rate / 2, 0);
    await scene.pass();
    assert.equal(third.state, "taken");
    scene.now += 20_000; // ends all waits
  }
});

Deno.test("Backlog.enter() takes a body beyond the bound only on its own, and light use at once", async () => {
  await using scene = await Scene.begin();
  for (let n = 0; n < 150; n++) assert.equal((await scene.send(1)).state, "taken", "nothing is measured yet");
  await scene.apply(150);
  scene.now += LOOK_MS;
  const large = await scene.send(5000), next = await scene.send(5000);
  assert.deepEqual([large.state, next.state], ["taken", "waits"]);
  await scene.apply(4999);
  await scene.pass();
  assert.equal(next.state, "waits");
  await scene.apply(1);
  await scene.pass();
  assert.equal(next.state, "taken");
});

Deno.test("Backlog.enter() counts work, not events, before anything is measured", async () => {
  await using scene = await Scene.begin();
  const states = [];
  for (let n = 0; n < 3; n++) states.push(await scene.send(1, "a", { work: 81 }));
  assert.deepEqual(states.map(({ state }) => state), ["taken", "taken", "waits"]);
  await scene.apply(1);
  await scene.pass();
  assert.equal(states[2]!.state, "taken");
});

Deno.test("Backlog.enter() takes as much work as tasks can do in time at their measured rate of work", async () => {
  for (const [events, work] of [[40, 100], [4000, 1], [400, 10]] as const) {
    await using scene = await Scene.begin();
    await scene.send(0);
    await scene.send(events, "a", { work: events * work });
    await scene.apply(events);
    scene.now += 1000;
    const first = await scene.send(20, "a", { work: 2000 }), second = await scene.send(2000);
    const third = await scene.send(1);
    assert.deepEqual(
      [first, second, third].map(({ state }) => state),
      ["taken", "taken", "waits"],
      `${work}`,
    );
    await scene.apply(10); // half of the first, which makes room for a thousand
    await scene.pass();
    const fourth = await scene.send(1000);
    assert.deepEqual([third.state, fourth.state], ["taken", "waits"], `${work}`);
    scene.now += 20_000;
    await scene.pass();
  }
});

Deno.test("Backlog.enter() reads the log once per look, however many events it takes", async () => {
  await using scene = await Scene.begin();
  let reads = 0;
  const bounds = scene.log.bounds.bind(scene.log);
  scene.log.bounds = (...place) => (reads++, bounds(...place));
  for (let n = 0; n < 50; n++) await scene.send(1);
  const atOnce = reads;
  scene.now += LOOK_MS;
  await scene.send(1);
  assert.deepEqual([atOnce, reads], [1, 2]);
});

Deno.test("Backlog.portion is at least what tasks commit at a time, however short the bound", async () => {
  await using scene = await Scene.begin(1, { maxBehindMs: 1 });
  assert.ok(scene.backlog.portion >= 50, `${scene.backlog.portion}`);
  for (let n = 0; n < 4; n++) assert.equal((await scene.send(scene.backlog.portion)).state, "taken");
});

Deno.test("Backlog.enter() takes no more while appends are under way than after them", async () => {
  await using scene = await Scene.begin();
  await scene.measure(1000);
  const done = Promise.withResolvers<void>();
  const begun: number[] = [];
  const entering = Array.from(
    { length: 20 },
    (_, n) =>
      scene.backlog.enter({ caller: "a", events: 100, work: 100 }, async () => {
        begun.push(n);
        await done.promise;
        await scene.append(100);
      }),
  );
  await scene.turns();
  assert.equal(begun.length, 10);
  done.resolve();
  await scene.turns();
  await scene.apply(1000);
  await scene.pass();
  await Promise.all(entering);
});

Deno.test("Backlog.enter() does not wait for events that others appended, but adds no more than as many", async () => {
  await using scene = await Scene.begin();
  await scene.append(10_000);
  scene.now += LOOK_MS;
  const sent = [];
  for (let n = 0; n < 11; n++) sent.push(await scene.send(1000));
  assert.deepEqual(sent.map(({ state }) => state), [...new Array(10).fill("taken"), "waits"]);
  await scene.apply(20_000);
  await scene.pass();
  assert.equal(sent.at(-1)!.state, "taken");
});

Deno.test("Backlog.enter() refuses callers who waited in vain, and tells the time that the tasks need", async () => {
  await using scene = await Scene.begin(1, { waitMs: 1000 });
  await scene.send(5000);
  const { state: before } = await scene.send(1);
  assert.equal(before, "waits");
  const late = await scene.send(1);
  let isTaken = false;
  const begun = scene.backlog.enter({ caller: "b", events: 9, work: 9, isBegun: true }, () => {
    isTaken = true;
    return Promise.resolve();
  });
  await scene.turns();
  await scene.pass(1000);
  const { state } = late;
  assert.ok(state instanceof Problem && state.code === "unavailable");
  assert.match(
    state.message,
    /^The events and items that wait .* need 25 s, .* 1000 ms \(http\.maxBehindMs\)$/,
  );
  assert.equal(state.toResponse("").headers.get("retry-after"), "25");
  await begun;
  assert.ok(isTaken, "the rest of a body whose beginning is on the log is taken");
});

Deno.test("Backlog.enter() serves callers in turn, and takes a place from the one with most when all are taken", async () => {
  await using scene = await Scene.begin(1, { maxWaiting: 4 });
  await scene.measure(1000);
  await scene.send(1000);
  const greedy = [];
  for (let n = 0; n < 5; n++) greedy.push(await scene.send(400, "greedy"));
  assert.ok(greedy[4]!.state instanceof Problem, "all places are taken");
  const polite = await scene.send(400, "polite");
  assert.equal(polite.state, "waits");
  assert.ok(greedy[3]!.state instanceof Problem, "the newest of the caller with most");
  await scene.apply(900);
  await scene.pass();
  assert.deepEqual([greedy[0], polite, greedy[1]].map((one) => one!.state), ["taken", "taken", "waits"]);
  await scene.apply(900);
  await scene.pass();
  scene.now += 20_000;
  await scene.pass();
});

Deno.test("Backlog.enter() serves callers who wait after a time in which none did", async () => {
  await using scene = await Scene.begin();
  await scene.measure(1000);
  await scene.send(1000);
  for (let n = 0; n < 3; n++) {
    const sent = await scene.send(1000);
    assert.equal(sent.state, "waits");
    await scene.apply(1000);
    await scene.pass();
    assert.equal(sent.state, "taken", `time ${n}`);
  }
});

Deno.test("Backlog.enter() ends all waits when the server stops", async () => {
  let isStopping = false;
  await using scene = await Scene.begin(1, { isStopping: () => isStopping });
  await scene.send(5000);
  const sent = await scene.send(1);
  isStopping = true;
  await scene.pass();
  assert.ok(sent.state instanceof Problem);
});

Deno.test("Backlog.enter() forgets its measurements when another number of tasks takes over", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  let [partitions, now] = [1, 0];
  const clock = () => now;
  const backlog = new Backlog(followedEvents(() => ({ log, partitions }), topics), {
    maxBehindMs: 1000,
    clock,
  });
  const append = () => Promise.resolve();
  await log.append(Array(9).fill({ topic: topics.events, partition: 0, key: "a", value: null, time: 0 }));
  await backlog.enter({ caller: "a", events: 5000, work: 5000 }, append);
  partitions = 2;
  now += LOOK_MS;
  await backlog.enter({ caller: "a", events: 5000, work: 5000 }, append);
});

Deno.test("items do not wait for events before them, neither over the API nor over doors", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await using server = await startHttp({
    hostname: "127.0.0.1",
    port: 0,
    log,
    metrics: new Metrics(topics),
    settings: { maxBehindMs: 1, doors: ["gorse"] },
  });
  const view = { type: "interaction", user: "ann", item: "i1", action: "view", time: 1.7e12 };
  const bodies = {
    "/v1/events": Array(3).fill(view),
    "/v1/items": { item: "i1", time: 1.7e12 },
    "/api/item": { ItemId: "i2" },
  };
  for (const [path, body] of Object.entries(bodies)) {
    const { status } = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.equal(status, 200, path); // a caller who waits for room in vain gets a 503
  }
});
