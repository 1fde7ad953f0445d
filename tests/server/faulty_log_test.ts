/** What HTTP says, and when, while the log fails: every promised time-out, and `/ready`. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Commit,
  LogError,
  type NewRecord,
  type ReadOptions,
  type ReadResult,
  type Writer,
} from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { startHttp } from "../../streams/server/http.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { Service } from "../../streams/service/service.ts";
import { diskShortage } from "../../streams/service/disk_room.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { listen } from "../log/warnings.ts";
import { OPTIONS, recordsOf, until } from "../service/deployment.ts";
import { ask } from "./deployment.ts";
import type { ServiceOptions } from "../../streams/service/jobs/options.ts";

const topics = topicNames();

/** A log that does not answer, or takes nothing, until it recovers. */
class FaultyLog extends MemoryLog {
  #away: PromiseWithResolvers<void> | undefined;
  /** What appends fail with. */
  refusal: Error | undefined;
  /** Whether neither appends nor commits have room. */
  isFull = false;
  /** Commits that had no room. */
  refusedCommits = 0;
  /** Most bytes of a record's value. */
  largest = Infinity;
  /** Topics whose reads fail for good. */
  readonly broken = new Set<string>();
  /** Writers are held back whose id contains this; empty = none. */
  heldWriter = "";
  readonly #held = Promise.withResolvers<void>();

  leave(): void {
    this.#away = Promise.withResolvers();
  }

  comeBack(): void {
    this.#away?.resolve();
    this.#away = undefined;
    this.#held.resolve();
  }

  override async append(records: readonly NewRecord[]): Promise<readonly number[]> {
    await this.#away?.promise;
    if (this.refusal !== undefined) throw this.refusal;
    if (this.isFull) throw noRoom();
    const large = records.flatMap(({ value }, i) => (value?.length ?? 0) > this.largest ? [i] : []);
    if (large.length > 0) {
      throw new LogError("too-large", `at most ${this.largest} bytes`, { records: large });
    }
    return await super.append(records);
  }

  override async bounds(topic: string, partition: number) {
    await this.#away?.promise;
    return await super.bounds(topic, partition);
  }

  override async read(topic: string, partition: number, from: number, o?: ReadOptions): Promise<ReadResult> {
    await this.#away?.promise;
    if (this.broken.has(topic)) throw new TypeError(`Cannot read ${topic}`);
    return await super.read(topic, partition, from, o);
  }

  override async writer(id: string): Promise<Writer> {
    if (this.heldWriter !== "" && id.includes(this.heldWriter)) await this.#held.promise;
    const writer = await super.writer(id);
    return {
      id,
      commit: async (commit: Commit) => {
        await this.#away?.promise;
        if (this.isFull) {
          this.refusedCommits++;
          throw noRoom();
        }
        return await writer.commit(commit);
      },
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }
}

const noRoom = () => new LogError("full", "database or disk is full");
const passing = (message: string) => new LogError("unreachable", message);

/** A deployment on a log that may fail. */
async function start(settings = {}, options: Partial<ServiceOptions<"base">> = {}, log = new FaultyLog()) {
  const metrics = new Metrics(topics);
  const metered = meteredLog(log, metrics);
  const service = await Service.start(metered, { ...OPTIONS, partitions: 2, ...options });
  if (options.roles === undefined) await metered.append(recordsOf([]));
  const checks = { reasons: [] as string[] };
  const server = await startHttp({
    hostname: "127.0.0.1",
    port: 0,
    log: metered,
    service,
    metrics,
    settings,
    checks: () => Promise.resolve(checks.reasons),
  });
  const get = (path: string) => ask(`${server.url}${path}`, {});
  const post = (path: string, body: unknown) =>
    ask(`${server.url}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
  return {
    log,
    service,
    checks,
    get,
    post,
    untilReady: () => until(async () => (await get("/ready")).status === 200, "it is ready"),
    async [Symbol.asyncDispose]() {
      log.comeBack();
      log.refusal = undefined;
      await server.stop();
      await service.stop();
      await metered[Symbol.asyncDispose]();
    },
  };
}

Deno.test("while the log does not answer, /ready is never 200, and requests time out as promised", async () => {
  await using api = await start({ answerTimeoutMs: 500, maxWaiting: 3 });
  await api.untilReady();
  // From now on the server listens to answers.
  await until(async () => (await api.post("/v1/recommend", { user: "ann" })).status === 200, "it answers");
  api.log.leave();
  for (let n = 0; n < 2; n++) {
    const { status, json } = await api.get("/ready");
    assert.equal(status, 503);
    assert.match(json.reasons.join(), /the log has not answered for \d+ s/);
  }
  for (const path of ["/v1/recommend", "/v1/recommend", "/v1/rank"]) {
    const { status, json } = await api.post(path, { user: "ann", candidates: ["i1"] });
    assert.deepEqual([status, json.code], [504, "answer-timeout"], path);
    assert.match(json.detail, /may still append the request/);
  }
  // What the log has not taken yet holds memory, so it is bounded.
  assert.equal((await api.post("/v1/recommend", { user: "ann" })).status, 503);
  for (const path of ["/v1/status", "/v1/models"]) assert.equal((await api.get(path)).status, 503, path);
  assert.match((await api.get("/metrics")).text, /process_resident_memory_bytes \d/);
  assert.equal((await api.get("/health")).status, 200, "it is alive");
  api.log.comeBack();
  await api.untilReady();
  const { status } = await api.post("/v1/recommend", { user: "bob", budgetMs: 60_000, count: 1 });
  assert.equal(status, 200);
});

Deno.test("a process without the user's task says so without waiting, whether or not the log answers", async () => {
  const log = new FaultyLog();
  log.heldWriter = "-tasks-"; // so that restoring takes for ever
  await using api = await start({}, {}, log);
  const details = () =>
    Promise.race([
      Promise.all(["", "/explain", "/why-not/i1"].map((path) => api.get(`/v1/users/ann${path}`))),
      delay(60_000, [], { ref: false }),
    ]).then((answers) => answers.map(({ json }) => json.detail).join());
  assert.match(await details(), /^(Partition \d is being restored,?){3}$/);
  log.leave();
  assert.match(await details(), /^(The log has not answered for [^,]+,?){3}$/);
});

Deno.test("a request that timed out before it was appended is not appended later", async () => {
  await using api = await start({ answerTimeoutMs: 50 });
  await api.untilReady();
  const { end } = await api.log.bounds(topics.events, 0);
  api.log.leave();
  const { status, json } = await api.post("/v1/recommend", { user: "ann" });
  assert.equal(status, 504);
  assert.match(json.detail, /has not received the request/);
  api.log.comeBack();
  await api.untilReady();
  const ends = await Promise.all([0, 1].map((p) => api.log.bounds(topics.events, p)));
  assert.deepEqual(ends.map((one) => one.end), [end, end]);
});

Deno.test("/ready is 503 while writes to the log fail, and 200 after one has succeeded", async () => {
  await using api = await start();
  await api.untilReady();
  api.log.refusal = passing("the disk is full");
  const event = { type: "interaction", user: "ann", item: "i1", action: "click" };
  assert.equal((await api.post("/v1/events", event)).status, 503);
  assert.match(
    (await api.get("/ready")).json.reasons.join(),
    /writes to the log fail: the disk is full/,
  );
  api.log.refusal = undefined;
  assert.equal((await api.post("/v1/events", event)).status, 200);
  await api.untilReady();
  api.log.refusal = new LogError("unknown-topic", "Cannot find topic events");
  const gone = await api.post("/v1/events", event);
  assert.deepEqual([gone.status, gone.json.detail], [503, "Cannot find topic events"]);
  assert.match(
    (await api.get("/ready")).json.reasons.join(),
    /writes to the log fail: Cannot find topic events/,
  );
  api.log.refusal = undefined;
  await api.post("/v1/events", event);
  api.log.refusal = new TypeError("one record is no record");
  await api.post("/v1/events", event);
  assert.equal((await api.get("/ready")).status, 200, "one client's record says nothing about the log");
  api.checks.reasons.push("the disk is nearly full");
  assert.deepEqual((await api.get("/ready")).json, { ready: false, reasons: ["the disk is nearly full"] });
});

Deno.test("on a full disk everything waits and says so, then continues with nothing lost or doubled", async () => {
  await using api = await start({}, { pauseMs: 50 });
  await api.untilReady();
  const event = (id: string) => ({ type: "interaction", id, user: "ann", item: "i1", action: "click" });
  const { status } = await api.post("/v1/events", event("a")); // its commit may come before or after
  api.log.isFull = true;
  const answer = await api.post("/v1/recommend", { user: "ann" });
  const refused = await api.post("/v1/events", event("b"));
  for (const { status, json, headers } of [answer, refused]) {
    assert.deepEqual([status, json.code, headers.get("retry-after")], [503, "unavailable", "10"]);
    assert.equal(json.detail, "The disk of the log is full");
  }
  const ready = await api.get("/ready");
  assert.equal(ready.status, 503);
  assert.match(ready.json.reasons.join(), /writes to the log fail: database or disk is full/);
  await until(
    () => Promise.resolve(api.service.faults.length === 0 && api.service.tasks.size < 2),
    "a task waits",
  );
  const { refusedCommits } = api.log;
  await until(() => Promise.resolve(api.log.refusedCommits > refusedCommits + 1), "it tries again");
  api.log.isFull = false;
  assert.deepEqual([status, (await api.post("/v1/events", event("b"))).status], [200, 200]);
  await api.untilReady();
  assert.equal((await api.get("/v1/users/ann")).json.behaviours.length, 2);
});

Deno.test("requests that fail on a full disk are logged once, not each", async () => {
  await using api = await start();
  await api.untilReady();
  await using heard = await listen();
  api.log.isFull = true;
  for (let n = 0; n < 5; n++) {
    const event = { type: "interaction", user: "ann", item: "i1", action: "click" };
    assert.equal((await api.post("/v1/events", event)).status, 503);
  }
  assert.deepEqual(heard.messages.filter((message) => message.includes("request")), [
    "requests failed because of the log, 1 since the last such message: database or disk is full",
  ]);
  api.log.isFull = false;
});

for (const [role, held] of [["learner", "-learner-"], ["monitor", "-monitor"]] as const) {
  Deno.test(`/ready is 503 until the ${role} alongside the tasks has started`, async () => {
    const first = new FaultyLog();
    {
      await using api = await start({}, {}, first);
      await api.untilReady();
    }
    const log = new FaultyLog();
    log.heldWriter = held;
    await using api = await start({}, { roles: ["task", "learner", "monitor"] }, log);
    // While the learner is held back, nobody publishes a version, so no task can begin either.
    if (role === "learner") {
      assert.match((await api.get("/ready")).json.reasons.join(), /the learner is being opened/);
    } else {
      await until(async () => {
        const { status, json } = await api.get("/ready");
        assert.equal(status, 503);
        return json.reasons.join() === `the ${role} is being opened`;
      }, "all else is there");
    }
    log.comeBack();
    await api.untilReady();
  });
}

Deno.test("/ready of a service that fails to start is never 200", async () => {
  const log = new FaultyLog();
  log.broken.add(topics.checkpoints);
  await using api = await start({}, { roles: ["task", "learner", "monitor"] }, log);
  const ended = api.service.ended.then(() => "ended", () => "failed");
  for (let over = false; !over;) {
    over = await Promise.race([
      ended.then(() => true),
      api.get("/ready").then(({ status }) => {
        assert.equal(status, 503);
        return false;
      }),
    ]);
  }
  assert.equal(await ended, "failed");
});

Deno.test("/ready says that answers cannot be read, until they can", async () => {
  await using api = await start({ answerTimeoutMs: 1 }, { roles: [] });
  const asked = await api.post("/v1/recommend", { user: "ann" });
  assert.equal(asked.status, 504, "nobody answers here");
  await api.untilReady();
  api.log.broken.add(topics.recommendations);
  await until(async () => {
    const { status, json } = await api.get("/ready");
    return status === 503 &&
      json.reasons.join() === `answers cannot be read: Cannot read ${topics.recommendations}`;
  }, "it tells");
  api.log.broken.clear();
  await api.untilReady();
});

Deno.test("diskShortage() names the folder and what is left, and is empty for a missing one", async () => {
  const folder = await Deno.makeTempDir();
  assert.deepEqual(await diskShortage(folder, 1), []);
  const [reason = ""] = await diskShortage(folder, 2 ** 60);
  assert.match(reason, new RegExp(`the disk of ${folder} has \\d+ MB left`));
  assert.deepEqual(await diskShortage(`${folder}/none`, 2 ** 60), []);
  await Deno.remove(folder);
});

Deno.test("records too large for the log are refused one by one, and others in the same body are taken", async () => {
  await using api = await start();
  await api.untilReady();
  api.log.largest = 300;
  const click = (item: string) => ({ type: "interaction", user: "ann", action: "click", item });
  const [small, large] = [click("i1"), { ...click("i2"), context: { note: "n".repeat(400) } }];
  const bad = { ...small, type: "nothing" };
  const reason = "at most 300 bytes";
  const some = await api.post("/v1/events", [bad, small, large, small, large]);
  assert.equal(some.status, 200);
  assert.equal(some.json.accepted, 2);
  assert.deepEqual(
    some.json.refused.map(({ index, code }: { index: number; code: string }) => [index, code]),
    [[0, "unknown-type"], [2, "too-large"], [4, "too-large"]],
  );
  assert.equal(some.json.refused[1].reason, reason);
  const none = await api.post("/v1/events", large);
  assert.deepEqual([none.status, none.json.code, none.json.detail], [413, "too-large", reason]);
  assert.deepEqual(none.json.errors, [{ index: 0, code: "too-large", reason }]);
  const asked = { user: "ann", count: 1, candidates: Array.from({ length: 50 }, (_, n) => `item-${n}`) };
  const request = await api.post("/v1/recommend", asked);
  assert.deepEqual([request.status, request.json.code, request.json.detail], [413, "too-large", reason]);
  const metrics = (await api.get("/metrics")).text;
  assert.match(metrics, /meander_http_entries_total\{kind="event"\} 2\n/);
  assert.match(metrics, /meander_http_refusals_total\{code="too-large"\} 3\n/);
});
