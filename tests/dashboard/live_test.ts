import assert from "node:assert/strict";
import { digestOf } from "../../streams/http/contract/access.ts";
import { NOW, startApi } from "../server/deployment.ts";

const click = (user: string, item: string) => ({ type: "interaction", user, item, action: "click" });

// deno-lint-ignore no-explicit-any -- tests look into it at will
type Message = readonly [event: string, data: any];

/** The events of a live stream, until the caller stops. */
export async function* messages(url: string, headers: Record<string, string> = {}): AsyncGenerator<Message> {
  const response = await fetch(`${url}/v1/live`, { headers });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  let text = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, event = "", data = "null"] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      yield [event, JSON.parse(data)];
    }
  }
}

Deno.test("GET /v1/live sends the past, then what is new every second", async () => {
  await using api = await startApi();
  await api.post("/v1/events", [click("ann", "i1"), click("bob", "i2"), { type: "interaction" }]);
  await api.post("/v1/recommend", { user: "ann", count: 3 });
  const seen: Message[] = [];
  for await (const message of messages(api.url)) {
    seen.push(message);
    if (seen.length === 1) await api.post("/v1/events", [click("cid", "i3"), 7]);
    // Popular items are only updated every few seconds.
    if (seen.length > 1 && message[1].now.topItems.length === 3) break;
    assert.ok(seen.length < 20, "the events never came");
  }
  const [[event, hello], ...ticks] = seen as [Message, ...Message[]];
  assert.equal(event, "hello");
  assert.deepEqual(hello.rejections.map(({ code }: { code: string }) => code), ["missing-field"]);
  assert.equal(hello.now.model, "base");
  assert.equal(hello.now.latency.answer.count, 1);
  assert.ok(hello.columns.every((name: string) => name in hello.seconds.columns));
  assert.ok(ticks.every(([event]) => event === "tick"));
  const last = ticks.at(-1)![1];
  assert.equal(last.time, NOW);
  assert.equal(last.now.totals.events, 4);
  assert.equal(last.now.users, 3);
  assert.deepEqual(last.now.rejectionCounts, { "missing-field": 1, "not-an-object": 1 });
  assert.deepEqual(
    ticks.flatMap(([, { rejections }]) => rejections.map(({ code }: { code: string }) => code)).slice(-1),
    ["not-an-object"],
  );
  assert.deepEqual(last.now.topItems.map(({ item }: { item: string }) => item).sort(), ["i1", "i2", "i3"]);
});

Deno.test("GET /v1/live reports how many listed items each source brought, and its hit rate", async () => {
  await using api = await startApi();
  const sources = async () => {
    for await (const [, { now }] of messages(api.url)) return now.sources;
  };
  assert.deepEqual(await sources(), []);
  await api.post("/v1/events", [click("ann", "i1"), click("bob", "i1"), click("bob", "i2")]);
  await api.post("/v1/rank", { user: "ann", candidates: ["i1", "i2"] });
  const given = (await sources() as { listed: number }[]).filter(({ listed }) => listed > 0);
  assert.deepEqual(given, [{ source: "given", listed: 2, hitRate: null }]);
  const { json: { items } } = await api.post("/v1/recommend", { user: "ann", count: 2 });
  await api.post("/v1/events", [click("cid", "i1"), click("cid", "i2")]);
  await api.post("/v1/rank", { user: "cid", candidates: ["i1", "i2"] });
  const found: { source: string; listed: number; hitRate: number | null }[] = await sources();
  assert.equal(found[0]?.source, "given");
  const listed = new Map(found.map((one) => [one.source, one.listed]));
  for (const { source } of items as { source: string }[]) assert.ok((listed.get(source) ?? 0) > 0, source);
  assert.equal(found.reduce((sum, one) => sum + one.listed, 0), 4 + items.length);
  // All these had been clicked.
  assert.equal(found.find(({ source }) => source === "popular")?.hitRate, 1, JSON.stringify(found));
});

Deno.test("GET /v1/live shows a rejected record's place and beginning, cut between characters", async () => {
  await using api = await startApi({}, 1);
  const value = new TextEncoder().encode(`{"type":"klick","why":"${"é".repeat(500)}"}`);
  await api.log.append([{ topic: "meander.events", key: "ann", value, time: NOW }]);
  for await (const [, { rejections, now }] of messages(api.url)) {
    if (now.rejectionCounts["unknown-type"] === undefined) continue;
    if (rejections.length === 0) continue;
    assert.equal(rejections[0].place, "meander.events/0@0");
    assert.match(rejections[0].text, /^\{"type":"klick","why":"é+$/);
    break;
  }
});

Deno.test("GET /v1/live needs a key with the scope read; the pages do not", async () => {
  const key = (name: string, scopes: readonly ("read" | "events")[]) => ({
    name,
    sha256: digestOf(`the-own-key-of-${name}`),
    scopes,
  });
  await using api = await startApi({ keys: [key("reader", ["read"]), key("shop", ["events"])] });
  assert.equal((await api.get("/v1/live")).status, 401);
  assert.equal((await api.get("/v1/live", { "x-api-key": "the-own-key-of-shop" })).json.code, "forbidden");
  for await (const [event] of messages(api.url, { "x-api-key": "the-own-key-of-reader" })) {
    assert.equal(event, "hello");
    break;
  }
  for (const path of ["/", "/users", "/users/ann%2F%22b", "/experiments"]) {
    const { status, headers, text } = await api.get(path);
    assert.equal(status, 200, path);
    assert.match(headers.get("content-type") ?? "", /^text\/html/);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    for (const [, file = ""] of text.matchAll(/(?:src|href)="(\/dashboard\/[^"]+)"/g)) {
      assert.equal((await api.get(file)).status, 200, file);
    }
  }
  assert.ok(!Object.keys((await api.get("/openapi.json")).json.paths).includes("/"), "pages are no API");
});

Deno.test("a stopping server ends the streams of its viewers", async () => {
  const api = await startApi();
  const stream = messages(api.url);
  await stream.next();
  await api[Symbol.asyncDispose]();
  for await (const _ of stream); // or the test never ends
});

Deno.test("one caller's viewers cannot take the places of others", async () => {
  await using api = await startApi({ proxies: ["127.0.0.1"] });
  const leaving = new AbortController();
  const open = (client: string) =>
    fetch(`${api.url}/v1/live`, { headers: { "x-forwarded-for": client }, signal: leaving.signal });
  const greedy = await Promise.all(Array.from({ length: 60 }, () => open("192.0.2.1")));
  const taken = greedy.filter(({ status }) => status === 200);
  assert.equal(taken.length, 50);
  const other = await open("192.0.2.2");
  assert.equal(other.status, 200);
  const { value } = await other.body!.getReader().read();
  assert.match(new TextDecoder().decode(value), /^event: hello/);
  const ended = taken.map(async ({ body }) => {
    for await (const _ of body!);
  });
  await Promise.race(ended); // one viewer is dropped
  assert.equal((await open("192.0.2.1")).status, 503, "the greedy caller does not get the place back");
  leaving.abort();
  await Promise.allSettled([...ended, ...greedy.map(({ body }) => body?.cancel())]);
});

Deno.test("a HEAD of the stream, and a viewer who leaves before it begins, take no place", async () => {
  await using api = await startApi();
  const url = `${api.url}/v1/live`;
  for (let viewer = 0; viewer < 60; viewer++) {
    const { status, body } = await fetch(url, { method: "HEAD" });
    assert.equal(body, null);
    assert.equal(status, 200, `HEAD ${viewer}`);
  }
  const { hostname, port } = new URL(url);
  for (let viewer = 0; viewer < 60; viewer++) {
    using connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(new TextEncoder().encode("GET /v1/live HTTP/1.1\r\nhost: localhost\r\n\r\n"));
  }
  for await (const [event] of messages(api.url)) {
    assert.equal(event, "hello");
    break;
  }
});
