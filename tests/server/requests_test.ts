/** Requests over HTTP beyond one list: pages, time budgets, misspelt fields, sessions merged into users. */

import assert from "node:assert/strict";
import { checkRecommendation } from "../../src/events/check.ts";
import { InTurn } from "../../streams/log/in_turn.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { Recommender } from "../../streams/http/recommender.ts";
import { Bodies } from "../../streams/http/bodies.ts";
import { FairWork } from "../../streams/http/contract/fair_work.ts";
import type { ApiContext } from "../../streams/http/context.ts";
import { Problem } from "../../streams/http/contract/problem.ts";
import { withoutModel } from "../../streams/server/late.ts";
import { RANK_REQUEST, RECOMMEND_REQUEST } from "../../streams/http/contract/record_schemas.ts";
import { PROBLEM } from "../../streams/server/openapi.ts";
import { schemasOf } from "./openapi_answers.ts";
import { recommend } from "../../streams/http/routes/recommend.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { matches } from "../events/schema_checker.ts";
import { type Api, NOW, startApi } from "./deployment.ts";

const topics = topicNames();
const click = (user: string, item: string) => ({ type: "interaction", user, item, action: "click" });

Deno.test("pages repeat no item and miss none, even if the list changes in between", async () => {
  await using api = await startApi();
  const whole = (await api.post("/v1/recommend", { user: "bob", count: 100 })).json.items.length;
  assert.ok(whole > 6);
  const seen: string[] = [];
  let cursor: string | null = "";
  for (let page = 0; cursor !== null; page++) {
    const body = { user: "ann", count: 3 + page % 2, cursor };
    const { status, json } = await api.post("/v1/recommend", body);
    assert.equal(status, 200, JSON.stringify(json));
    seen.push(...json.items.map(({ item }: { item: string }) => item));
    cursor = json.next;
    // Others change what is popular, and with it the order.
    for (let n = 0; n < 3; n++) {
      await api.post("/v1/events", click(`u${page}-${n}`, `i${(page * 3 + n) % 12}`));
    }
    assert.ok(page < 100);
  }
  assert.equal(new Set(seen).size, seen.length, "nothing twice");
  assert.ok(seen.length >= whole, `${seen.length} of ${whole}`);
  const rank = await api.post("/v1/rank", {
    user: "ann",
    candidates: ["i1", "i2", "i3"],
    count: 2,
    cursor: "",
  });
  const rest = await api.post("/v1/rank", {
    user: "ann",
    candidates: ["i1", "i2", "i3"],
    count: 2,
    cursor: rank.json.next,
  });
  assert.deepEqual([rank.json.items.length, rest.json.items.length, rest.json.next], [2, 1, null]);
});

Deno.test("without a count, all candidates are ranked and ten recommended, and metrics have the duration", async () => {
  const begun = performance.now();
  await using api = await startApi();
  const body = { user: "ann", candidates: Array.from({ length: 12 }, (_, n) => `i${n}`) };
  assert.equal((await api.post("/v1/rank", body)).json.items.length, 12);
  assert.equal((await api.post("/v1/recommend", body)).json.items.length, 10);
  const [, seconds = ""] =
    /^meander_answer_duration_seconds_sum (.*)$/m.exec((await api.get("/metrics")).text) ??
      [];
  assert.ok(Number(seconds) > 0 && Number(seconds) < (performance.now() - begun) / 1000, seconds);
});

const MISSPELT: readonly [path: string, body: object, ...faults: RegExp[]][] = [
  ["recommend", { user: "ann", cuont: 3 }, /^cuont: there is no such field; did you mean count\?$/],
  [
    "recommend",
    { usr: "ann", limit: 3 },
    /^usr: .* did you mean user\?$/,
    /^limit: .*; there are user, time, /,
  ],
  ["recommend", { user: "ann", budget_ms: 3 }, /^budget_ms: .* did you mean budgetMs\?$/],
  ["recommend", { user: "ann", filter: { category: ["red"] } }, /^filter\.category: .* mean categories\?$/],
  [
    "recommend",
    { user: "ann", filter: { where: [{ atribute: "size", is: "=", value: 1 }] } },
    /^filter\.where\[0\]\.atribute: .* did you mean attribute\?$/,
  ],
  ["rank", { user: "ann", candidate: ["i1"] }, /^candidate: .* did you mean candidates\?$/],
  ["rank", { user: "ann", candidates: ["i1"], boosts: [{ by: 2, wher: [] }] }, /^boosts\[0\]\.wher: /],
  ["users/ann/merge", { form: "session-1" }, /^form: .* did you mean from\?$/],
];

Deno.test("an unknown field is a 400 that suggests the one meant, and nothing is done", async () => {
  await using api = await startApi();
  const { Merge } = await schemasOf(api);
  const schemas = { recommend: RECOMMEND_REQUEST.json, rank: RANK_REQUEST.json };
  for (const [path, body, ...faults] of MISSPELT) {
    const { status, json, headers } = await api.post(`/v1/${path}`, body);
    assert.deepEqual([status, json.code], [400, "unknown-field"], JSON.stringify(json));
    assert.equal(headers.get("content-type"), "application/problem+json");
    assert.equal(json.faults.length, faults.length);
    for (const [i, fault] of faults.entries()) assert.match(json.faults[i], fault);
    assert.ok(matches(PROBLEM.json, json));
    const schema = path === "recommend" || path === "rank" ? schemas[path] : Merge;
    assert.ok(schema !== undefined && !matches(schema, body), "OpenAPI says so too");
  }
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`field${i}`, i]));
  assert.equal((await api.post("/v1/recommend", many)).json.faults.length, 20);
  for (const partition of [0, 1]) {
    assert.deepEqual(await Array.fromAsync(readAll(api.log, topics.events, partition)), []);
  }
});

Deno.test("events, items and a request's context may have any fields, and a request may be sent as an event", async () => {
  await using api = await startApi();
  const request = { type: "request", id: "e1", user: "ann", context: { anything: 1 } };
  assert.ok(matches(RECOMMEND_REQUEST.json, request));
  const answers = [
    await api.post("/v1/events", { ...click("ann", "i1"), campaign: "spring" }),
    await api.post("/v1/events", {
      type: "request",
      user: "ann",
      request: "r1",
      count: 1,
      filter: { campaign: 1 },
    }),
    await api.post("/v1/items", { item: "i1", colour: "red" }),
    await api.post("/v1/recommend", request),
  ];
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
  const other = await api.post("/v1/recommend", { type: "impression", user: "ann" });
  assert.deepEqual([other.status, other.json.errors[0].code], [422, "unknown-value"]);
});

Deno.test("a request's id must be valid, and does not deduplicate over HTTP", async () => {
  await using api = await startApi();
  for (const path of ["/v1/recommend", "/v1/rank"]) {
    const body = { user: "ann", candidates: ["i1"] };
    for (const id of [7, null, "", "a\nb", {}]) {
      const { status, json } = await api.post(path, { ...body, id });
      assert.deepEqual([status, json.errors?.[0].index], [422, 0], JSON.stringify(json));
    }
    for (let again = 0; again < 2; again++) {
      assert.equal((await api.post(path, { ...body, id: "e7" })).status, 200);
    }
  }
});

Deno.test("an unknown parameter is a 400, except to clients of other systems", async () => {
  await using api = await startApi({ doors: ["gorse"] });
  await api.post("/v1/recommend", { user: "ann" });
  const { status, json } = await api.get("/v1/users/ann/explain?cuont=3");
  assert.deepEqual([status, json.code], [400, "bad-parameter"]);
  assert.equal(json.detail, '"cuont": there is no such parameter; did you mean count?');
  assert.match(
    (await api.get("/v1/status?x=1")).json.detail,
    /"x": there is no such parameter; there are none/,
  );
  for (
    const path of ["/health?x=1", "/metrics?x=1", "/api/recommend/ann?x=1", "/v1/users/ann/explain?count=3"]
  ) {
    assert.equal((await api.get(path)).status, 200, path);
  }
});

Deno.test("an invalid id in a path is refused, and nothing is appended", async () => {
  await using api = await startApi({ doors: ["gorse"] });
  const end = async () => (await api.log.bounds(topics.items, 0)).end;
  const before = await end();
  for (const id of ["x".repeat(257), "é".repeat(129), "a%00b", "%ED%A0%80"]) {
    for (
      const [method, path] of [["DELETE", `/api/item/${id}`], ["GET", `/v1/users/${id}/explain`]] as const
    ) {
      const { status, json } = await api.request(path, { method });
      assert.deepEqual([status, json.code], [400, "bad-parameter"], path);
    }
  }
  assert.equal(await end(), before);
  assert.equal((await api.request(`/api/item/${"x".repeat(256)}`, { method: "DELETE" })).status, 200);
});

interface Operation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: { readonly type?: string };
  }[];
}

Deno.test("every call refuses a query parameter that is given twice, unless it may repeat", async () => {
  await using api = await startApi({ doors: ["gorse", "metarank"] });
  const { json: { paths } } = await api.get("/openapi.json");
  let tried = 0;
  for (const [path, methods] of Object.entries<Record<string, Operation>>(paths)) {
    for (const [method, { parameters = [] }] of Object.entries(methods)) {
      for (const { name, in: place, schema } of parameters) {
        if (place !== "query" || schema.type === "array") continue;
        const init = { method: method.toUpperCase(), headers: { "content-type": "application/json" } };
        const call = path.replaceAll(/\{\w+\}/g, "1");
        const { json } = await api.request(`${call}?${name}=1&${name}=2`, init);
        assert.equal(json?.detail, `${name} is given more than once`, `${method} ${path}`);
        tried++;
      }
    }
  }
  assert.ok(tried > 40, `${tried}`);
  const { status } = await api.get("/api/popular?category=a&category=b&x=1&x=2");
  assert.equal(status, 200, "Gorse's clients may send what we ignore");
});

Deno.test("a cursor of another request, or an invalid one, is refused", async () => {
  await using api = await startApi();
  const { json } = await api.post("/v1/recommend", { user: "ann", count: 2, cursor: "" });
  for (
    const body of [
      { user: "bob", cursor: json.next },
      { user: "ann", filter: { categories: ["red"] }, cursor: json.next },
      { user: "ann", cursor: "x" },
      { user: "ann", cursor: "e30" },
      { user: "ann", cursor: 7 },
    ]
  ) {
    const { status, json } = await api.post("/v1/recommend", body);
    assert.deepEqual([status, json.code], [400, "bad-parameter"], JSON.stringify(body));
  }
  assert.equal((await api.post("/v1/recommend", { user: "ann" })).json.next, undefined);
});

/** The context of a server whose answers never come. */
function silent({ log, metrics }: Api, service: ApiContext["service"]): ApiContext {
  const known = {
    log,
    topics,
    itemWrites: new InTurn(),
    partitions: 2,
    service,
    metrics,
    now: () => NOW,
    recommender: {
      ask: () => Promise.withResolvers<never>().promise,
      failures: [],
    } as unknown as Recommender,
    clock: () => 0,
    answerTimeoutMs: 1000,
    bodies: new Bodies({ maxBytes: 10_000, clock: () => 0 }),
    work: new FairWork({ share: () => Promise.resolve(), clock: () => 0 }),
    maxEntries: 10,
    backlogs: new Map(),
    isStopping: () => false,
  };
  return { ...known, withoutModel: (event) => withoutModel(known, event) };
}

const requestOf = (body: object) =>
  new Request("http://h/v1/recommend", {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });

Deno.test("a late answer is made without a model, says so, and its impression is appended", async () => {
  await using api = await startApi();
  await api.post("/v1/events", [click("bob", "i4"), click("cy", "i4"), click("cy", "i5")]);
  await api.post("/v1/recommend", { user: "bob", count: 1 });
  await api.post("/v1/recommend", { user: "cy", count: 1 });
  const ask = async (body: object) =>
    await (await recommend(silent(api, api.service), { request: requestOf(body), caller: "" }, "recommend"))
      .json();
  const given = await ask({
    user: "ann",
    request: "r1",
    candidates: ["i3", "i1", "i2"],
    exclude: ["i1"],
    budgetMs: 1,
  });
  assert.ok(checkRecommendation(given).ok);
  assert.deepEqual(given.items.map(({ item }: { item: string }) => item), ["i3", "i2"]);
  assert.deepEqual([given.degraded, given.model, given.request], ["late", "none", "r1"]);
  const popular = await ask({ user: "ann", count: 1, budgetMs: 1, cursor: "" });
  assert.deepEqual([popular.items[0].source, typeof popular.next], ["popular", "string"]);
  const shown: string[] = [];
  for (const partition of [0, 1]) {
    for await (const { value } of readAll(api.log, topics.events, partition)) {
      const event = JSON.parse(new TextDecoder().decode(value ?? undefined));
      if (event.type === "impression") shown.push(`${event.request} ${event.items}`);
    }
  }
  assert.deepEqual(shown[0], "r1 i3,i2");
  assert.match(await api.metrics.render(), /meander_degraded_answers_total\{reason="late"\} 2/);
  const body = { user: "ann", budgetMs: 1 };
  await assert.rejects(
    recommend(silent(api, undefined), { request: requestOf(body), caller: "" }, "recommend"),
    (error) => error instanceof Problem && error.code === "answer-timeout",
  );
  const full = await api.post("/v1/recommend", { user: "ann", count: 2, budgetMs: 60_000 });
  assert.deepEqual([full.status, full.json.degraded], [200, undefined]);
  for (const budgetMs of [0, -1, "5", 60_001]) {
    assert.equal((await api.post("/v1/recommend", { user: "ann", budgetMs })).json.code, "bad-parameter");
  }
});

Deno.test("an anonymous session's behaviours are the user's after a merge", async () => {
  await using api = await startApi();
  await api.post("/v1/events", [
    click("session-1", "i1"),
    click("session-1", "i2"),
    { type: "profile", user: "session-1", attributes: { city: "Oslo" } },
    click("ann", "i3"),
  ]);
  const merged = await api.post("/v1/users/ann/merge", { from: "session-1" });
  assert.deepEqual([merged.status, merged.json], [200, { accepted: 1 }]);
  const { json: list } = await api.post("/v1/recommend", { user: "ann", count: 50 });
  const items = list.items.map(({ item }: { item: string }) => item);
  assert.deepEqual(
    ["i1", "i2", "i3"].filter((item) => items.includes(item)),
    [],
    "what they had is left out",
  );
  assert.equal(list.stateVersion, 3);
  await api.post("/v1/users/ann/merge", { from: "session-1" });
  await api.post("/v1/recommend", { user: "ann", count: 1 });
  const { json: user } = await api.get("/v1/users/ann");
  assert.deepEqual([user.totalBehaviours, user.profile], [3, { city: "Oslo" }]);
  for (const body of [{}, { from: "ann" }, { from: "" }, { from: 7 }]) {
    assert.equal((await api.post("/v1/users/ann/merge", body)).json.code, "bad-parameter");
  }
  assert.equal((await api.post("/v1/users/ann/merge", "[")).json.code, "bad-body");
});
