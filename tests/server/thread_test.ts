import assert from "node:assert/strict";
import { LogError } from "../../streams/log/log.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import type { HttpSettings } from "../../streams/http/contract/settings.ts";
import { ServerThread } from "../../streams/server/thread/server_thread.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { logContract } from "../contracts/log_contract.ts";
import { OPTIONS, recordsOf, until } from "../service/deployment.ts";
import { ask, startApi } from "./deployment.ts";
import { type Role, ROLES } from "../../streams/service/jobs/options.ts";

const folder = await Deno.makeTempDir({ prefix: "meander-server-thread-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const topics = topicNames();
const openThread = (name: string = crypto.randomUUID()) =>
  ServerThread.open({
    address: { kind: "sqlite", options: { path: `${folder}/${name}.db` } },
    topics,
    level: "fatal",
  });

logContract("ServerThread.log", async ({ place }) => (await openThread(place)).log, {
  excused: { steps: "its steps are another thread's" },
  runs: 10,
});

/** A deployment whose server has a thread of its own. */
async function startThread(settings: HttpSettings = {}, roles: readonly Role[] = ROLES) {
  const thread = await openThread();
  const metrics = new Metrics(topics);
  const log = meteredLog(thread.log, metrics);
  const service = await Service.start(log, {
    ...OPTIONS,
    roles,
    partitions: 2,
    learnerThread: { permissions: "none" },
  });
  await log.append(recordsOf([]));
  const server = await thread.listen({
    ...{ hostname: "127.0.0.1", port: 0, log, service, metrics },
    settings: { answerTimeoutMs: 60_000, ...settings },
  });
  await until(async () => (await service.unready()).length === 0, "it is ready");
  return {
    ...{ thread, log, service, metrics, server },
    call: (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      ask(`${server.url}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        headers: { "content-type": "application/json", ...headers },
      }),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await service.stop();
      await log[Symbol.asyncDispose]();
      await thread.ended;
    },
  };
}

const click = (user: string, item: string) => ({ type: "interaction", user, item, action: "click" });

Deno.test("ServerThread answers what the log tells, and has the rest answered where the states are", async () => {
  await using api = await startThread();
  assert.equal(
    (await api.call("POST", "/v1/events", [click("ann", "i1"), click("bob", "i2")])).json.accepted,
    2,
  );
  const list = await api.call("POST", "/v1/recommend", { user: "ann", count: 3 });
  assert.equal(list.status, 200, list.text);
  assert.ok(list.json.items.length > 0);
  const user = await api.call("GET", "/v1/users/ann");
  assert.deepEqual(user.json.behaviours.map(({ item }: { item: string }) => item), ["i1"], user.text);
  const why = await api.call("GET", "/v1/users/ann/explain?count=2");
  assert.equal(why.json.items.length, 2, why.text);
  const late = await api.call("POST", "/v1/recommend", { user: "bob", budgetMs: 1e-6 });
  assert.deepEqual([late.json.model, late.json.degraded], ["none", "late"], late.text);
  const merged = await api.call("POST", "/v1/users/bob/merge", { from: "ann" });
  assert.equal(merged.status, 200, merged.text);
  assert.equal((await api.call("GET", "/v1/status")).json.partitions.length, 2);
  assert.equal((await api.call("GET", "/ready")).status, 200);
  assert.equal((await api.call("GET", "/")).status, 200);
});

Deno.test("ServerThread passes problems on with their code, headers and the id of the request", async () => {
  await using api = await startThread({ maxBodyBytes: 1000 });
  const id = { "x-request-id": "asked-once" };
  const nobody = await api.call("GET", "/v1/users/nobody", undefined, id);
  assert.deepEqual([nobody.status, nobody.json.code], [404, "not-found"]);
  assert.equal(nobody.json.requestId, "asked-once");
  assert.equal(nobody.headers.get("x-request-id"), "asked-once");
  const large = await api.call("POST", "/v1/users/ann/merge", { from: "x".repeat(2000) });
  assert.deepEqual([large.status, large.json.code], [413, "too-large"]);
  const odd = await api.call("GET", "/v1/users/ann/explain?count=999");
  assert.deepEqual([odd.status, odd.json.code], [400, "bad-parameter"], odd.text);
});

Deno.test("ServerThread says that a late request has no answer where no state is", async () => {
  await using api = await startThread({}, []);
  const late = await api.call("POST", "/v1/recommend", { user: "bob", budgetMs: 1e-6 });
  assert.deepEqual([late.status, late.json.code], [504, "answer-timeout"], late.text);
  assert.equal(late.headers.get("retry-after"), "1");
});

Deno.test("ServerThread and a server in the same thread refuse a body by its type before they read it", async () => {
  const origin = "https://elsewhere.example";
  const settings: HttpSettings = { doors: ["gorse", "metarank"], maxBodyBytes: 1000, cors: [origin] };
  await using api = await startThread(settings);
  await using same = await startApi(settings);
  const { paths } = (await same.get("/openapi.json")).json;
  const calls = Object.entries<Record<string, { requestBody?: unknown }>>(paths).flatMap(([path, methods]) =>
    Object.entries(methods).filter(([, { requestBody }]) => requestBody !== undefined)
      .map(([method]) => ({ method: method.toUpperCase(), path: path.replaceAll(/\{\w+\}/g, "any") }))
  );
  assert.ok(calls.length > 15);
  // A body that is too large, and would be said to be, if anybody looked.
  const body = "x".repeat(2000);
  const headers = { "content-type": "text/plain", origin };
  for (const { url } of [api.server, same]) {
    for (const { method, path } of calls) {
      const { status, text } = await ask(`${url}${path}`, { method, body, headers });
      assert.equal(status, 415, `${method} ${path}: ${text}`);
    }
  }
});

Deno.test("ServerThread does not read the body of a call that has none", async () => {
  await using api = await startThread({ doors: ["gorse"], maxBodyBytes: 1000 });
  const { status, text } = await api.call("DELETE", "/api/user/ann", "x".repeat(2000));
  assert.equal(status, 200, text);
});

Deno.test("ServerThread has as many requests wait as it was told, whoever asks", async () => {
  await using api = await startThread({ doors: ["gorse"], maxWaiting: 1, answerTimeoutMs: 2000 }, []);
  const both = await Promise.all([
    api.call("POST", "/v1/recommend", { user: "ann" }),
    api.call("GET", "/api/recommend/ann"),
  ]);
  assert.deepEqual(
    both.map(({ status }) => status).sort(),
    [503, 504],
    both.map(({ text }) => text).join("\n"),
  );
  const [refused] = both.filter(({ status }) => status === 503);
  assert.match(refused?.json.detail, /1 requests are waiting already/);
});

Deno.test("ServerThread describes the same API as a server in the same thread", async () => {
  await using api = await startThread({ doors: ["gorse", "metarank"] });
  await using same = await startApi({ doors: ["gorse", "metarank"] });
  assert.equal((await api.call("GET", "/openapi.json")).text, (await same.get("/openapi.json")).text);
});

Deno.test("ServerThread answers the calls of other systems", async () => {
  await using api = await startThread({ doors: ["gorse"] });
  const feedback = {
    FeedbackType: "click",
    UserId: "ann",
    ItemId: "i3",
    Timestamp: new Date().toISOString(),
  };
  assert.equal((await api.call("POST", "/api/feedback", [feedback])).json.RowAffected, 1);
  const items = await api.call("POST", "/api/items", [{ ItemId: "new", Categories: ["c"] }]);
  assert.equal(items.json.RowAffected, 1, items.text);
  assert.equal((await api.call("GET", "/api/item/new")).json.ItemId, "new");
  assert.ok(Array.isArray((await api.call("GET", "/api/recommend/ann?n=2")).json));
});

Deno.test("ServerThread measures with the process: each request once, commits of tasks and learner", async () => {
  await using api = await startThread();
  await api.call("POST", "/v1/events", [click("ann", "i1"), { type: "interaction" }]);
  for (let n = 0; n < 3; n++) await api.call("POST", "/v1/recommend", { user: "ann" });
  const { text } = await api.call("GET", "/metrics");
  const value = (line: string) =>
    Number(text.split("\n").find((each) => each.startsWith(line))?.split(" ").at(-1));
  assert.equal(value("meander_answer_duration_seconds_count"), 3, text);
  assert.equal(value('meander_http_entries_total{kind="event"}'), 1);
  assert.equal(value('meander_http_refusals_total{code="missing-field"}'), 1);
  assert.ok(value('meander_commit_duration_seconds_count{role="task",outcome="ok"}') > 0);
  assert.ok(value('meander_commit_duration_seconds_count{role="learner",outcome="ok"}') > 0);
  assert.ok(value("process_resident_memory_bytes") > 1e6);
  const help = text.split("\n").filter((line) => line.startsWith("# HELP"));
  assert.equal(new Set(help).size, help.length, "each family once");
});

Deno.test("ServerThread tells the dashboard what happens in it", async () => {
  await using api = await startThread();
  await api.call("POST", "/v1/events", { type: "interaction", user: "ann" });
  await api.call("POST", "/v1/recommend", { user: "ann" });
  const response = await fetch(`${api.server.url}/v1/live`);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  while (!/missing-field/.test(seen) || !/event: tick/.test(seen)) {
    const { value, done } = await reader.read();
    assert.ok(!done, seen);
    seen += value;
  }
  await reader.cancel();
});

Deno.test("ServerThread asks for keys, and stops streams and what waits", async () => {
  await using api = await startThread({
    keys: [{
      name: "one",
      sha256: "e85681f94a03706fdafb9ef2e359a5a4e5281589fea545b74e2e920fa625ca9f",
      scopes: ["read"],
    }],
  });
  assert.equal((await api.call("GET", "/v1/status")).status, 401);
  assert.equal(
    (await api.call("GET", "/v1/status", undefined, { "x-api-key": "secret-of-a-test" })).status,
    200,
  );
  assert.equal((await api.call("POST", "/v1/events", {}, { "x-api-key": "secret-of-a-test" })).status, 403);
  const live = await fetch(`${api.server.url}/v1/live`, { headers: { "x-api-key": "secret-of-a-test" } });
  const ended = live.text();
  await api.server.stop();
  assert.match(await ended, /event: hello/);
});

/** Notes the threads that are started as long as it is not disposed. */
function threadsStarted(): { readonly threads: readonly Worker[] } & Disposable {
  const { Worker } = globalThis;
  const threads: Worker[] = [];
  globalThis.Worker = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      threads.push(this);
    }
  };
  return { threads, [Symbol.dispose]: () => void (globalThis.Worker = Worker) };
}

Deno.test("ServerThread that dies ends tasks and learner with it", async () => {
  using started = threadsStarted();
  const thread = await openThread();
  const [server] = started.threads;
  const log = meteredLog(thread.log, new Metrics(topics));
  const service = await Service.start(log, { ...OPTIONS, learnerThread: { permissions: "none" } });
  await until(
    async () => (await service.unready()).length === 0 && service.learner !== undefined,
    "it is ready",
  );
  server?.terminate();
  server?.onerror?.(new ErrorEvent("error", { message: "out of memory" }));
  await assert.rejects(thread.ended, /thread of the server died: out of memory/);
  await assert.rejects(service.ended, /thread of the server died: out of memory/);
  await assert.rejects(log.topics(), (error) => error instanceof LogError && error.code === "closed");
  await service.stop();
  await log[Symbol.asyncDispose]();
});

Deno.test("ServerThread.open() and listen() tell what is in the way", async () => {
  await using holder = await SqliteLog.open(`${folder}/held.db`);
  assert.equal((await holder.topics()).size, 0);
  await assert.rejects(
    openThread("held"),
    (error) => error instanceof LogError && error.code === "locked" && error.message.includes("held.db"),
  );
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const thread = await openThread();
  await using log = thread.log;
  await using service = await Service.start(log, { ...OPTIONS, roles: [] });
  const { port } = listener.addr;
  await assert.rejects(
    thread.listen({ hostname: "127.0.0.1", port, log, service, metrics: new Metrics(topics) }),
    /port is in use/,
  );
});
