import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { checkRecommendation } from "../../src/events/check.ts";
import { readAll } from "../../streams/log/reading.ts";
import { digestOf } from "../../streams/http/contract/access.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { OPTIONS, until } from "../service/deployment.ts";
import { type Api, NOW, startApi } from "./deployment.ts";

const topics = topicNames();
const click = (user: string, item: string) => ({ type: "interaction", user, item, action: "click" });

Deno.test("an answer reflects the click just before it, and is on the log", async () => {
  await using api = await startApi();
  for (let n = 0; n < 20; n++) {
    const item = `i${n % 5}`;
    const taken = await api.post("/v1/events", click("ann", item));
    assert.deepEqual([taken.status, taken.json], [200, { accepted: 1, refused: [] }]);
    const { status, json, headers } = await api.post("/v1/recommend", { user: "ann", count: 3 });
    assert.equal(status, 200);
    assert.ok(checkRecommendation(json).ok);
    assert.equal(json.stateVersion, n + 1, "the state has folded the click");
    assert.equal(json.items.length, 3);
    assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  }
  const answers = [];
  for (let p = 0; p < 2; p++) {
    answers.push(...await Array.fromAsync(readAll(api.log, topics.recommendations, p)));
  }
  assert.equal(answers.length, 20);
});

Deno.test("/v1/rank ranks all candidates, and concurrent requests each get their own answer", async () => {
  await using api = await startApi();
  const users = Array.from({ length: 50 }, (_, n) => `u${n}`);
  const answers = await Promise.all(
    users.map((user) =>
      api.post("/v1/rank", { user, request: `r-${user}`, candidates: ["i3", "i1", "nowhere"] })
    ),
  );
  for (const [n, { status, json }] of answers.entries()) {
    assert.equal(status, 200);
    assert.deepEqual([json.user, json.request], [`u${n}`, `r-u${n}`]);
    assert.deepEqual(json.items.map(({ item }: { item: string }) => item).sort(), ["i1", "i3", "nowhere"]);
  }
});

Deno.test("a repeated request is answered again", async () => {
  await using api = await startApi();
  const body = { user: "ann", request: "r1", id: "e1", count: 2 };
  const answers = [await api.post("/v1/recommend", body), await api.post("/v1/recommend", body)];
  assert.deepEqual(answers.map(({ status, json }) => [status, json.request]), [[200, "r1"], [200, "r1"]]);
});

Deno.test("events arrive singly, as a list, as lines or gzipped, and each is taken or refused on its own", async () => {
  await using api = await startApi();
  const bad = { type: "interaction", user: "bob", item: "i1" };
  const late = { ...click("bob", "i2"), time: NOW + 2 * 3_600_000 };
  const list = await api.post("/v1/events", [click("bob", "i1"), bad, late, 7]);
  assert.equal(list.status, 200);
  assert.equal(list.json.accepted, 1);
  assert.deepEqual(
    list.json.refused.map(({ index, code }: { index: number; code: string }) => [index, code]),
    [
      [1, "missing-field"],
      [2, "in-the-future"],
      [3, "not-an-object"],
    ],
  );
  const lines = [JSON.stringify(click("bob", "i2")), "", "{", JSON.stringify(click("bob", "i3"))].join("\n");
  const ndjson = { "content-type": "application/x-ndjson" };
  const taken = await api.post("/v1/events", lines, ndjson);
  assert.deepEqual([taken.json.accepted, taken.json.refused[0].index], [2, 1]);
  const packed = new Uint8Array(gzipSync(lines));
  assert.equal(
    (await api.post("/v1/events", packed, { ...ndjson, "content-encoding": "gzip" })).json.accepted,
    2,
  );
  const none = await api.post("/v1/events", [bad]);
  assert.deepEqual([none.status, none.json.code, none.json.errors.length], [422, "refused", 1]);

  const events = [];
  for (let p = 0; p < 2; p++) {
    for await (const { key, value } of readAll(api.log, topics.events, p)) {
      assert.equal(key, "bob");
      events.push(JSON.parse(new TextDecoder().decode(value ?? undefined)));
    }
  }
  assert.deepEqual(events.map(({ item }) => item), ["i1", "i2", "i3", "i2", "i3"]);
  assert.ok(events.every(({ time }) => time === NOW), "the time of arrival where there was none");
});

Deno.test("items are added and removed over HTTP", async () => {
  await using api = await startApi();
  const has = async (item: string) => {
    const { json } = await api.post("/v1/recommend", { user: "ann", filter: { categories: ["only"] } });
    return json.items.some((one: { item: string }) => one.item === item);
  };
  assert.equal(
    (await api.post("/v1/items", [{ item: "fresh", category: "only" }, { item: "" }])).json.accepted,
    1,
  );
  await until(() => has("fresh"), "the item is recommended");
  assert.equal((await api.request("/v1/items/fresh", { method: "DELETE" })).status, 200);
  await until(async () => !await has("fresh"), "the item is gone");
  assert.equal((await api.request("/v1/items/%00", { method: "DELETE" })).json.code, "bad-parameter");
});

Deno.test("a user's state can be read and forgotten over HTTP", async () => {
  await using api = await startApi();
  await api.post("/v1/events", [
    { type: "profile", user: "eve/é", attributes: { city: "Oslo" } },
    click("eve/é", "i1"),
  ]);
  await api.post("/v1/recommend", { user: "eve/é", count: 2 });
  const path = `/v1/users/${encodeURIComponent("eve/é")}`;
  const { json } = await api.get(path);
  assert.deepEqual(json.profile, { city: "Oslo" });
  assert.deepEqual(json.behaviours.map(({ item, action }: Record<string, string>) => [item, action]), [[
    "i1",
    "click",
  ]]);
  assert.deepEqual([json.pending.length, json.pending[0].items.length], [1, 2]);
  assert.equal((await api.get("/v1/users/nobody")).json.code, "not-found");
  assert.equal((await api.request(path, { method: "DELETE" })).status, 200);
  await until(async () => (await api.get(path)).status === 404, "the user is forgotten");
});

Deno.test("models, status, health, readiness and metrics describe the running service", async () => {
  await using api = await startApi();
  await until(async () => (await api.get("/ready")).status === 200, "it is ready");
  for (let n = 0; n < 30; n++) await api.post("/v1/recommend", { user: `u${n % 3}` });
  await api.post("/v1/events", [click("ann", "i1"), { type: "odd" }]);
  assert.equal((await api.get("/health")).json.status, "ok");
  const { json: { models: [model] } } = await api.get("/v1/models");
  assert.equal(model.model, "base");
  assert.ok(model.version > 0 && model.learner.version >= model.version);
  assert.equal((await api.get("/v1/status")).json.partitions.length, 2);
  const { text, headers } = await api.get("/metrics");
  assert.match(headers.get("content-type") ?? "", /^text\/plain/);
  for (
    const line of [
      /^meander_consumer_lag\{partition="0"\} \d+$/m,
      /^meander_commit_duration_seconds_count\{role="task",outcome="ok"\} [1-9]/m,
      /^meander_answer_duration_seconds_count 30$/m,
      /^meander_http_refusals_total\{code="unknown-type"\} 1$/m,
      /^meander_http_entries_total\{kind="event"\} 1$/m,
      /^meander_rebalances_total\{group="meander.events-tasks",what="assigned"\} 1$/m,
      /^meander_serving_version\{model="base"\} [1-9]/m,
      /^meander_learner_version\{model="base"\} [1-9]/m,
      /^meander_watermark_timestamp_seconds\{partition="\d"\} 169\d{7}/m,
      /^meander_memory_bytes\{part="states"\} [1-9]/m,
      /^meander_log_records_total\{topic="meander.recommendations"\} 30$/m,
      /^meander_ordering_parts\{partition="\d",part="(?:blend|model)"\} 1$/m,
    ]
  ) assert.match(text, line);
});

Deno.test("metrics describe MIMN's memory slots, and have none for other models", async () => {
  await using api = await startApi({}, 2, { model: "mimn", modelConfig: {} });
  for (let n = 0; n < 6; n++) await api.post("/v1/events", click("ann", `i${n}`));
  await api.post("/v1/recommend", { user: "ann" });
  const { text } = await api.get("/metrics");
  assert.match(text, /^meander_slot_cosine\{partition="\d"\} -?\d/m);
  const shares = [...text.matchAll(/^meander_slot_usage_ratio\{partition="\d",slot="\d"\} (\S+)$/gm)];
  assert.equal(shares.length, 4);
  assert.ok(Math.abs(shares.reduce((sum, [, share]) => sum + Number(share), 0) - 1) < 1e-6);
  const mass = Number(/^meander_slot_write_mass\{partition="\d"\} (\S+)$/m.exec(text)?.[1]);
  assert.ok(mass > 5.9 && mass <= 6, `${mass} of 6 behaviours`);
  await using base = await startApi();
  assert.doesNotMatch((await base.get("/metrics")).text, /^meander_slot_\w+\{/m);
});

Deno.test("invalid requests get RFC 9457 problems with the id of the request", async () => {
  await using api = await startApi({ maxBodyBytes: 5000, maxEntries: 3 });
  const json = { "content-type": "application/json" };
  const gzip = { ...json, "content-encoding": "gzip" };
  const bomb = new Uint8Array(gzipSync("[" + " ".repeat(1_000_000) + "]"));
  const cases: readonly (readonly [Promise<{ status: number; json: Record<string, unknown> }>, string])[] = [
    [api.get("/nowhere"), "not-found"],
    [api.request("/v1/events", { method: "PUT" }), "method-not-allowed"],
    [api.request("/v1/events", { method: "POST", body: "{}" }), "unsupported-media-type"],
    [api.post("/v1/events", "{}", { "content-type": "text/xml" }), "unsupported-media-type"],
    [api.post("/v1/recommend", "{}", { "content-type": "application/x-ndjson" }), "unsupported-media-type"],
    [api.post("/v1/events", "{}", { "content-encoding": "br" }), "unsupported-media-type"],
    [api.post("/v1/events", "not gzip", gzip), "bad-body"],
    [api.post("/v1/events", bomb, gzip), "too-large"],
    [api.post("/v1/events", "x".repeat(6000)), "too-large"],
    [api.post("/v1/events", [1, 2, 3, 4]), "too-large"],
    [api.post("/v1/events", ""), "bad-body"],
    [api.post("/v1/events", []), "bad-body"],
    [api.post("/v1/events", '{"a":1,"a":2}'), "bad-body"],
    [api.post("/v1/recommend", []), "bad-body"],
    [api.post("/v1/recommend", {}), "refused"],
    [api.post("/v1/recommend", { user: "a", count: 0 }), "refused"],
    [api.post("/v1/recommend", { user: "a", time: NOW + 1e9 }), "refused"],
    [api.post("/v1/rank", { user: "a" }), "refused"],
    [api.post("/v1/rank", { user: "a", candidates: [] }), "refused"],
  ];
  for (const [n, [answer, code]] of cases.entries()) {
    const { status, json } = await answer;
    assert.equal(json["code"], code, `case ${n}: ${JSON.stringify(json)}`);
    assert.equal(json["status"], status);
    assert.equal(json["type"], `urn:meander:problem:${code}`);
  }
  const named = await api.get("/nowhere", { "x-request-id": "mine" });
  assert.deepEqual([named.json.requestId, named.headers.get("x-request-id")], ["mine", "mine"]);
  assert.equal(named.headers.get("content-type"), "application/problem+json");
  assert.equal((await api.request("/v1/users/a", { method: "PATCH" })).headers.get("allow"), "GET, DELETE");
});

Deno.test("keys admit what their scopes allow, and no more often than the limit", async () => {
  const key = (name: string, scopes: ("events" | "metrics")[]) => ({
    name,
    sha256: digestOf(`the-own-key-of-${name}`),
    scopes,
  });
  await using api = await startApi({
    keys: [key("shop", ["events"]), key("prometheus", ["metrics"])],
    rateLimit: { perSecond: 0.001, burst: 2 },
  });
  const status = async (path: string, headers: Record<string, string>) =>
    (await api.get(path, headers)).status;
  assert.equal(await status("/v1/models", {}), 401);
  assert.equal(await status("/v1/models", { "x-api-key": "wrong" }), 401);
  assert.equal(await status("/v1/models", { "x-api-key": "the-own-key-of-shop" }), 403);
  assert.equal(await status("/metrics", { authorization: "Bearer the-own-key-of-prometheus" }), 200);
  assert.equal(await status("/health", {}), 200, "needs no key");
  const post = () => api.post("/v1/events", click("a", "i1"), { "x-api-key": "the-own-key-of-shop" });
  assert.deepEqual([(await post()).status, (await post()).status], [200, 200]);
  const third = await post();
  assert.equal(third.json.code, "too-many-requests");
  assert.ok(Number(third.headers.get("retry-after")) > 0);
  assert.equal(
    await status("/metrics", { "x-api-key": "the-own-key-of-prometheus" }),
    200,
    "another key has its own limit",
  );
});

Deno.test("behind a configured proxy, each visitor has a limit of their own, and metrics count refusals", async () => {
  const rateLimit = { perSecond: 0.001, burst: 1 };
  await using api = await startApi({ rateLimit, proxies: ["127.0.0.0/8", "::1"] });
  const status = async (forwarded: string) =>
    (await api.get("/v1/models", { "x-forwarded-for": forwarded })).status;
  assert.deepEqual([await status("198.51.100.1"), await status("1.1.1.1, 198.51.100.1")], [200, 429]);
  assert.equal(await status("198.51.100.2"), 200);
  assert.match(await api.metrics.render(), /^meander_http_limited_total\{limit="rate"\} 1$/m);
});

Deno.test("a key of scope events cannot erase users by events", async () => {
  const key = (name: string, scopes: ("events" | "admin")[]) => ({
    name,
    sha256: digestOf(`the-own-key-of-${name}`),
    scopes,
  });
  await using api = await startApi({ keys: [key("shop", ["events"]), key("owner", ["events", "admin"])] });
  const forget = { type: "forget", user: "a" };
  const post = async (body: unknown, name: string) => {
    const { status, json } = await api.post("/v1/events", body, { "x-api-key": `the-own-key-of-${name}` });
    return [status, json.code ?? json.accepted];
  };
  assert.deepEqual(await post(forget, "shop"), [403, "forbidden"]);
  assert.deepEqual(await post([click("a", "i1"), forget], "shop"), [403, "forbidden"], "nothing is appended");
  assert.deepEqual(await post([click("a", "i1"), forget], "owner"), [200, 2]);
});

Deno.test("a key of scope events cannot take over a user's history by events", async () => {
  const key = (name: string, scopes: ("events" | "merge")[]) => ({
    name,
    sha256: digestOf(`the-own-key-of-${name}`),
    scopes,
  });
  await using api = await startApi({ keys: [key("page", ["events"]), key("login", ["events", "merge"])] });
  const statuses = async (name: string) => {
    const headers = { "x-api-key": `the-own-key-of-${name}` };
    const alias = { type: "alias", user: "victim", of: "thief" };
    const merge = { type: "merge", user: "thief", from: "victim", behaviours: [] };
    const answers = [
      await api.post("/v1/events", click("victim", "i1"), headers),
      await api.post("/v1/events", [click("thief", "i1"), alias], headers),
      await api.post("/v1/events", merge, headers),
      await api.post("/v1/users/thief/merge", { from: "victim" }, headers),
    ];
    return answers.map(({ status }) => status);
  };
  assert.deepEqual(await statuses("page"), [200, 403, 403, 403]);
  assert.deepEqual(await statuses("login"), [200, 200, 200, 200]);
});

Deno.test("a key of scope events cannot change items, nor one of scope items send events", async () => {
  const key = (name: string, scopes: ("events" | "items")[]) => ({
    name,
    sha256: digestOf(`the-own-key-of-${name}`),
    scopes,
  });
  await using api = await startApi({ keys: [key("page", ["events"]), key("catalogue", ["items"])] });
  const with_ = (name: string) => ({ "x-api-key": `the-own-key-of-${name}` });
  const remove = (name: string) => api.request("/v1/items/i1", { method: "DELETE", headers: with_(name) });
  const statuses = async (name: string) => [
    (await api.post("/v1/events", click("a", "i1"), with_(name))).status,
    (await api.post("/v1/items", { item: "i1" }, with_(name))).status,
    (await remove(name)).status,
  ];
  assert.deepEqual(await statuses("page"), [200, 403, 403]);
  assert.deepEqual(await statuses("catalogue"), [403, 200, 200]);
});

Deno.test("a misspelt path and an action in place of a type get a suggestion", async () => {
  await using api = await startApi();
  const detail = async (path: string, body: object) => (await api.post(path, body)).json.detail;
  assert.equal(
    await detail("/v1/recomend", {}),
    "There is nothing at /v1/recomend; did you mean /v1/recommend?",
  );
  assert.equal(
    await detail("/recommendations", {}),
    "There is nothing at /recommendations; /openapi.json lists what there is",
  );
  const act = { type: "click", user: "ann", item: "i1" };
  assert.match(
    await detail("/v1/events", act),
    /current value is "click"; an act is an interaction, with "action": "click"$/,
  );
  for (const other of [{ ...act, item: undefined }, { ...act, action: "click" }]) {
    assert.match(await detail("/v1/events", other), /current value is "click"$/);
  }
});

Deno.test("pages of other origins may call only if they are configured", async () => {
  const origin = { origin: "https://shop.example" };
  {
    await using api = await startApi();
    assert.equal((await api.get("/health", origin)).headers.get("access-control-allow-origin"), null);
  }
  await using any = await startApi({ cors: ["*"] });
  assert.equal((await any.get("/health", origin)).headers.get("access-control-allow-origin"), "*");
  await using api = await startApi({ cors: ["https://shop.example"] });
  assert.equal((await api.get("/health", origin)).headers.get("access-control-allow-origin"), origin.origin);
  assert.equal(
    (await api.get("/health", { origin: "https://evil.example" })).headers.get("access-control-allow-origin"),
    null,
  );
  assert.equal((await fetch(`${api.url}/health`, { method: "HEAD", headers: origin })).status, 200);
  const preflight = await api.request("/v1/events", {
    method: "OPTIONS",
    headers: { ...origin, "access-control-request-method": "POST" },
  });
  assert.equal(preflight.status, 204);
  const { status, headers } = await api.request("/v1/events", {
    method: "POST",
    headers: { ...origin, "content-type": "text/plain" },
    body: "x",
  });
  assert.equal(status, 415);
  assert.equal(headers.get("access-control-expose-headers"), "X-Request-Id,Retry-After");
});

Deno.test("a body of the wrong type is refused before it is read, and never read if the call has none", async () => {
  const origin = "https://elsewhere.example";
  await using api = await startApi({
    doors: ["gorse", "metarank"],
    maxBodyBytes: 1000,
    cors: [origin],
  });
  const { paths } = (await api.get("/openapi.json")).json;
  const calls = Object.entries<Record<string, { requestBody?: unknown }>>(paths).flatMap(([path, methods]) =>
    Object.entries(methods).filter(([, { requestBody }]) => requestBody !== undefined)
      .map(([method]) => ({ method: method.toUpperCase(), path: path.replaceAll(/\{\w+\}/g, "any") }))
  );
  assert.ok(calls.length > 15);
  // A body that is too large, which would be said if it were read.
  const body = "x".repeat(2000);
  const headers = { "content-type": "text/plain", origin };
  for (const { method, path } of calls) {
    const { status, text } = await api.request(path, { method, body, headers });
    assert.equal(status, 415, `${method} ${path}: ${text}`);
  }
  const { status, text } = await api.request("/api/user/ann", { method: "DELETE", body });
  assert.equal(status, 200, text);
});

Deno.test("an answer that does not come in time is a 504, which says that it will be on the log", async () => {
  // Long enough for the second request to arrive while the first one waits, even on a busy machine.
  await using api = await startApi({ answerTimeoutMs: 3000, maxWaiting: 1 });
  await api.service.stop();
  const [first, second] = await Promise.all([
    api.post("/v1/recommend", { user: "a", request: "r1" }),
    api.post("/v1/recommend", { user: "a", request: "r2" }),
  ]);
  assert.deepEqual([first.status, second.status].sort(), [503, 504]);
  const timedOut = first.status === 504 ? first : second;
  assert.match(timedOut.json.detail, /will be answered there/);
});

Deno.test("GET /v1/users/{user}/explain tells what would be recommended and why, and leaves no trace", async () => {
  await using api = await startApi({}, 1);
  for (const item of ["i1", "i2", "i3"]) await api.post("/v1/events", click("ann", item));
  await api.post("/v1/items", { item: "i2", title: "Tent", time: Date.UTC(2025, 0, 1) });
  await api.post("/v1/recommend", { user: "ann", count: 3 });
  const isTitled = ({ item, title }: { item: string; title?: string }) =>
    title === (item === "i2" ? "Tent" : undefined);
  await until(
    async () => (await api.get("/v1/users/ann")).json.behaviours[1].title === "Tent",
    "it is known",
  );
  const before = await api.get("/v1/users/ann");
  assert.ok(before.json.behaviours.every(isTitled));
  assert.ok(before.json.pending.every(({ items }: { items: [] }) => items.every(isTitled)));
  assert.equal((await api.get("/v1/users/ann/why-not/i2")).json.title, "Tent");
  const { status, json } = await api.get("/v1/users/ann/explain?count=2");
  assert.equal(status, 200);
  assert.deepEqual([json.user, json.model, json.time, json.items.length], ["ann", "base", NOW, 2]);
  assert.deepEqual(json.behaviours.map(({ item }: { item: string }) => item), ["i1", "i2", "i3"]);
  assert.ok([...json.behaviours, ...json.items].every(isTitled));
  for (const { score, prior, effects, looksAt } of json.items) {
    assert.ok(score > 0 && score < 1 && prior > 0 && prior < 1);
    assert.deepEqual([effects.length, looksAt], [3, null]);
  }
  const named = await api.get("/v1/users/ann/explain?item=i1");
  assert.deepEqual(named.json.items.map(({ item }: { item: string }) => item), ["i1"]);
  assert.deepEqual((await api.get("/v1/users/ann")).json, before.json);
  for (const count of ["0", "21", "1e1", "x", ""]) {
    assert.equal((await api.get(`/v1/users/ann/explain?count=${count}`)).json.code, "bad-parameter", count);
  }
  await saysWhoIsNotKnown(api, (user, item) => `/v1/users/${user}/explain?item=${item}`);
  assert.match((await api.get("/v1/users/nobody/explain")).json.detail, /^user "nobody" is not known: /);
});

Deno.test("an empty list says why it is empty, with a model, without one, and when explained", async () => {
  await using api = await startApi({}, 1);
  await api.post("/v1/items", { item: "old", expires: NOW - 1 });
  await api.post("/v1/events", click("ann", "i1"));
  const body = { user: "ann", filter: { categories: ["nowhere"] } };
  const { json } = await api.post("/v1/recommend", body);
  assert.deepEqual([json.items, json.empty], [[], "filtered"]);
  assert.equal((await api.post("/v1/recommend", { user: "ann" })).json.empty, undefined);
  const { json: why } = await api.get("/v1/users/ann/explain");
  assert.equal(why.empty, null);
  await until(
    async () => (await api.get("/v1/users/ann/explain?item=old")).status === 200,
    "the item is known",
  );
  const { json: old } = await api.get("/v1/users/ann/explain?item=old");
  assert.deepEqual(old.empty, { code: "expired", reason: "all remaining items have expired" });
  const unscored = api.service.tasks.get(0)?.state.lists.withoutModel(null, {
    type: "request",
    user: "bob",
    request: "r",
    time: NOW,
    count: 1,
    candidates: ["i1"],
    exclude: ["i1"],
  });
  assert.deepEqual(unscored, { items: [], empty: "excluded" });
});

Deno.test("GET /v1/users/{user}/why-not/{item} says what keeps an item off a list", async () => {
  await using api = await startApi({}, 1);
  await api.post("/v1/items", [{ item: "gone", hidden: true }, { item: "old", expires: NOW - 1 }]);
  await api.post("/v1/events", [click("ann", "i1"), click("ann", "i2")]);
  const { json: list } = await api.post("/v1/recommend", { user: "ann", count: 2 });
  const why = (item: string) => api.get(`/v1/users/ann/why-not/${item}?count=2`).then(({ json }) => json);
  await until(async () => (await why("old")).reasons !== undefined, "items are known");
  assert.deepEqual((await why("i1")).reasons.map(({ code }: { code: string }) => code), ["seen"]);
  assert.deepEqual((await why("gone")).reasons.map(({ code }: { code: string }) => code), ["hidden"]);
  assert.deepEqual((await why("old")).reasons.map(({ code }: { code: string }) => code), ["expired"]);
  const [first] = list.items;
  assert.deepEqual([(await why(first.item)).recommended, (await why(first.item)).place], [true, 0]);
  const all = (await api.post("/v1/recommend", { user: "ann", count: 50 })).json.items;
  const last = await why(all.at(-1).item);
  assert.deepEqual([last.recommended, last.reasons[0].code, last.place], [
    false,
    "outranked",
    all.length - 1,
  ]);
  assert.deepEqual(
    [last.score, (await why("old")).score],
    [all.at(-1).score, null],
    "the score among all candidates, not on its own",
  );
  const explained = (await api.get("/v1/users/ann/explain?count=2")).json;
  for (const { id } of api.service.tasks.get(0)!.state.catalogue.items()) {
    const at = all.findIndex(({ item }: { item: string }) => item === id);
    const { reasons, score, ...rest } = await why(id);
    assert.deepEqual(rest, {
      user: "ann",
      item: id,
      count: 2,
      candidates: all.length,
      recommended: at === 0 || at === 1,
      place: at < 0 ? null : at,
      lowest: all[1].score,
    });
    assert.deepEqual([score, reasons.length > 0], [all[at]?.score ?? null, at !== 0 && at !== 1], id);
    if (at === 0 || at === 1) {
      assert.deepEqual([explained.items[at].item, explained.items[at].score], [id, score]);
    }
  }
  const { json: alone } = await api.get(`/v1/users/ann/explain?item=${all.at(-1).item}`);
  assert.deepEqual([alone.scoreKind, alone.items[0].score < 1], ["probability", true]);
  await saysWhoIsNotKnown(api, (user, item) => `/v1/users/${user}/why-not/${item}`);
});

Deno.test("GET /v1/users/{user}/why-not/{item} says that no source proposes an item", async () => {
  const task = { ...OPTIONS.task, retrieval: { maxCandidates: 3 } };
  await using api = await startApi({}, 1, { ...OPTIONS, task });
  await api.post("/v1/events", click("ann", "i1"));
  const { json: { items } } = await api.post("/v1/recommend", { user: "ann", count: 12 });
  assert.equal(items.length, 3);
  const listed = new Set(["i1", ...items.map(({ item }: { item: string }) => item)]);
  const { id } = [...api.service.tasks.get(0)!.state.catalogue.items()].find(({ id }) => !listed.has(id))!;
  const { json } = await api.get(`/v1/users/ann/why-not/${id}`);
  assert.deepEqual([json.place, json.candidates], [null, 3]);
  const reason = "No source proposes it among at most 3 candidates";
  assert.deepEqual(json.reasons, [{ code: "not-retrieved", reason }]);
});

/** Checks the 404s of unknown users and items; ann and i1 are known. */
async function saysWhoIsNotKnown(api: Api, path: (user: string, item: string) => string): Promise<void> {
  const cases = [
    [
      "ann",
      "nothing",
      /^item "nothing" is not known: [^;]*; add it with POST \/v1\/items, or check the spelling$/,
    ],
    [
      "nobody",
      "i1",
      /^user "nobody" is not known: [^;]*; send one to POST \/v1\/events, check the spelling, or wait for `lag` 0$/,
    ],
    ["nobody", "nothing", /^user "nobody" is not known: .*; item "nothing" is not known: /],
  ] as const;
  for (const [user, item, says] of cases) {
    const { status, json } = await api.get(path(user, item));
    assert.deepEqual([status, json.code], [404, "not-found"]);
    assert.match(json.detail, says);
  }
}
