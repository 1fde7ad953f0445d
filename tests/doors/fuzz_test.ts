/** Whatever is sent through a door, or at a login: no 5xx, and every answer is as OpenAPI says. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { anyEvent } from "../events/arbitraries.ts";
import { NOW, startApi } from "../server/deployment.ts";
import { checkAnswer, documentOf, isStream, junk, mangled } from "../server/openapi_answers.ts";

const RUNS = Number(Deno.env.get("MEANDER_FUZZ_RUNS") ?? 40);

const word = fc.oneof(fc.constantFrom("ann", "i1", "i2", "click", "read", ""), fc.string({ maxLength: 8 }));
const time = fc.oneof(
  fc.constantFrom(NOW, String(NOW), "2023-11-14T22:13:20Z", "0001-01-01T00:00:00Z", "", null),
  fc.nat(),
);
const labels = fc.oneof(fc.constant(["a"]), fc.anything({ maxDepth: 2 }));
const gorse = fc.record({
  FeedbackType: word,
  UserId: word,
  ItemId: word,
  Value: fc.oneof(fc.double(), fc.constant("1")),
  Timestamp: time,
  Labels: labels,
  Categories: fc.oneof(fc.array(word, { maxLength: 3 }), fc.anything({ maxDepth: 1 })),
  IsHidden: fc.oneof(fc.boolean(), fc.anything({ maxDepth: 1 })),
}, { requiredKeys: ["ItemId"] });
const metarank = fc.record({
  event: fc.constantFrom("item", "user", "ranking", "interaction", "what"),
  id: word,
  timestamp: time,
  user: word,
  session: word,
  item: word,
  type: word,
  items: fc.oneof(
    fc.array(fc.oneof(fc.record({ id: word, label: fc.nat(2) }), word), { maxLength: 4 }),
    labels,
  ),
  count: fc.oneof(fc.integer({ min: -1, max: 1200 }), word),
  fields: fc.oneof(fc.array(fc.record({ name: word, value: labels }), { maxLength: 3 }), labels),
}, { requiredKeys: ["event", "timestamp"] });

const merge = fc.record({ from: fc.oneof(word, fc.constant("bob"), fc.anything({ maxDepth: 1 })) });

Deno.test("arbitrary bodies through the doors never give a 5xx, and only answers that OpenAPI describes", async () => {
  await using api = await startApi({
    doors: ["gorse", "metarank"],
    maxBodyBytes: 20_000,
    answerTimeoutMs: 20_000,
  });
  const { paths } = await documentOf(api);
  await api.post("/v1/events", { type: "interaction", user: "bob", item: "i1", action: "click" });
  const good = { FeedbackType: "click", UserId: "ann", ItemId: "i1" };
  const ranking = { event: "ranking", id: "r", timestamp: NOW, user: "ann", items: [{ id: "i1" }] };
  const calls: readonly (readonly [
    method: "POST" | "PUT" | "PATCH",
    path: string,
    body: fc.Arbitrary<unknown>,
    sound: unknown,
  ])[] = [
    ["POST", "/api/user", gorse, good],
    ["POST", "/api/users", gorse, [good]],
    ["PATCH", "/api/user/{user}", gorse, { Labels: ["a"] }],
    ["POST", "/api/item", gorse, good],
    ["POST", "/api/items", gorse, [good, good]],
    ["PATCH", "/api/item/{item}", gorse, { Categories: ["a"] }],
    ["POST", "/api/feedback", gorse, [good]],
    ["PUT", "/api/feedback", gorse, [good]],
    ["POST", "/api/session/recommend", gorse, [good]],
    ["POST", "/v1/users/{user}/merge", merge, { from: "bob" }],
    ["POST", "/feedback", metarank, ranking],
    ["POST", "/rank/{model}", metarank, ranking],
    ["POST", "/recommend/{model}", metarank, { count: 2 }],
  ];
  for (const [method, path, body, sound] of calls) {
    const operation = paths[path]?.[method.toLowerCase()] ?? assert.fail(path);
    const url = path.replace("{user}", "ann").replace("{item}", "i1").replace("{model}", "m");
    const send = async (bytes: unknown) => {
      const text = typeof bytes === "string" || bytes instanceof Uint8Array ? bytes : JSON.stringify(bytes);
      const headers = { "content-type": "application/json" };
      const answer = await api.request(url, { method, body: text as BodyInit, headers });
      assert.ok(answer.status < 500, `${path}: ${answer.text}`);
      checkAnswer(operation, answer);
      return answer.status;
    };
    assert.equal(await send(sound), 200, path);
    const any = fc.oneof(junk, mangled(fc.oneof<fc.Arbitrary<unknown>[]>(body, anyEvent)), body);
    await fc.assert(fc.asyncProperty(any, async (bytes) => void await send(bytes)), { numRuns: RUNS });
  }
});

Deno.test("arbitrary paths and queries through the doors never give a 5xx, and only answers that OpenAPI describes", async () => {
  await using api = await startApi({ doors: ["gorse", "metarank"] });
  await api.post("/api/feedback", [{ FeedbackType: "click", UserId: "ann", ItemId: "i1" }]);
  const { paths } = await documentOf(api);
  const reads = Object.entries(paths).flatMap(([path, { get }]) =>
    path.startsWith("/api/") && get !== undefined && !isStream(get) ? [[path, get] as const] : []
  );
  assert.ok(reads.length > 20);
  const part = fc.oneof(
    fc.constantFrom("ann", "i1", "click", "%00", "a%2Fb", "popular"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 300 })
      .filter((text) => text.isWellFormed() && ![".", ".."].includes(text)).map(encodeURIComponent),
  );
  const number = fc.oneof(fc.constantFrom("", "0", "5", "1000", "-1", "x"), part);
  const query = fc.record(
    { n: number, offset: number, cursor: part, category: part, "user-id": part, "write-back-type": part },
    { requiredKeys: [] },
  );
  for (const [path, operation] of reads) {
    await fc.assert(
      fc.asyncProperty(part, part, query, async (a, b, named) => {
        const places = [a, b, "i1"];
        const url = path.replace(/\{\w+\}/g, () => places.shift() ?? "");
        const search = Object.entries(named).map(([name, value]) => `${name}=${value}`).join("&");
        const answer = await api.get(`${url}?${search}`);
        assert.ok(answer.status < 500, `${url}?${search}: ${answer.text}`);
        checkAnswer(operation, answer);
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  }
});
