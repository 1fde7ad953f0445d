/** Whatever is sent: no answer is a 5xx, nothing accepted is lost, and every answer is as OpenAPI describes. */

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { topicNames } from "../../streams/topics/topics.ts";
import { anyEvent, anyItem } from "../events/arbitraries.ts";
import { NOW, startApi } from "./deployment.ts";
import { checkAnswer, documentOf, isStream, junk, mangled } from "./openapi_answers.ts";

const RUNS = Number(Deno.env.get("MEANDER_FUZZ_RUNS") ?? 150);
/** Valid bodies among those that are sent. */
const SOUND = 10;
const topics = topicNames();

const request = fc.record({
  user: fc.oneof(fc.constant("ann"), fc.string({ minLength: 1, maxLength: 8 }), fc.anything({ maxDepth: 1 })),
  count: fc.oneof(fc.integer({ min: -1, max: 1200 }), fc.anything({ maxDepth: 1 })),
  candidates: fc.oneof(fc.array(fc.constantFrom("i1", "i2", "i3", "")), fc.anything({ maxDepth: 2 })),
  exclude: fc.oneof(fc.array(fc.constantFrom("i1", "i2")), fc.anything({ maxDepth: 2 })),
  time: fc.oneof(fc.integer({ min: NOW - 1e9, max: NOW + 1e7 }), fc.double()),
  context: fc.anything({ maxDepth: 2 }),
  cursor: fc.oneof(fc.constant(""), fc.string({ maxLength: 12 }), fc.anything({ maxDepth: 1 })),
  boosts: fc.oneof(fc.constant([{ by: 2, categories: ["red"] }]), fc.anything({ maxDepth: 2 })),
  frequency: fc.oneof(fc.constant({ most: 1, withinMs: 9 }), fc.anything({ maxDepth: 2 })),
  like: fc.oneof(fc.array(fc.constantFrom("i1", "i9")), fc.anything({ maxDepth: 1 })),
}, { requiredKeys: [] });
const types = fc.constantFrom(
  "application/json",
  "application/x-ndjson",
  "text/plain",
  "application/json; charset=utf-8",
  "",
);
const encodings = fc.constantFrom(undefined, undefined, undefined, "gzip", "br");

Deno.test("bodies of any kind get no 5xx, only answers as OpenAPI describes, and none accepted is lost", async () => {
  await using api = await startApi({ maxBodyBytes: 20_000, answerTimeoutMs: 20_000 });
  const { paths } = await documentOf(api);
  const bodies: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    "/v1/events": fc.oneof(junk, mangled(anyEvent)),
    "/v1/items": fc.oneof(junk, mangled(anyItem)),
    "/v1/recommend": fc.oneof(junk, mangled(request), request),
    "/v1/rank": fc.oneof(junk, request),
  };
  // Bodies that are certainly taken, to see that what was taken is kept.
  const sound: Readonly<Record<string, unknown>> = {
    "/v1/events": { type: "interaction", user: "ann", item: "i1", action: "view", time: NOW },
    "/v1/items": { item: "i1", time: NOW },
    "/v1/recommend": { user: "ann" },
    "/v1/rank": { user: "ann", candidates: ["i1", "i2"] },
  };
  let appended = 0;
  for (const [path, body] of Object.entries(bodies)) {
    const operation = paths[path]?.["post"] ?? assert.fail();
    let taken = 0;
    const plain = [sound[path], "application/json", undefined, false] as const;
    await fc.assert(
      fc.asyncProperty(body, types, encodings, fc.boolean(), async (body, type, encoding, packed) => {
        const bytes = body instanceof Uint8Array
          ? body
          : typeof body === "string"
          ? body
          : JSON.stringify(body);
        const sent = packed && encoding === "gzip" ? new Uint8Array(gzipSync(bytes)) : bytes;
        const answer = await api.post(path, sent, {
          "content-type": type,
          ...(encoding === undefined ? {} : { "content-encoding": encoding }),
        });
        assert.ok(answer.status < 500, answer.text);
        checkAnswer(operation, answer);
        if (answer.status !== 200) return;
        taken++;
        if (path !== "/v1/items") appended += answer.json.accepted ?? 1; // a request is an event, too
      }),
      { numRuns: RUNS + SOUND, examples: Array.from({ length: SOUND }, () => [...plain]) },
    );
    assert.ok(taken >= SOUND, `${path} took ${taken}`);
  }
  let stored = 0;
  // By the end of the log: an accepted event may erase records of a user.
  for (let p = 0; p < 2; p++) stored += (await api.log.bounds(topics.events, p)).end;
  assert.equal(stored, appended, "what was taken is on the log, and nothing else");
});

Deno.test("paths of any kind get no 5xx, only answers that OpenAPI describes", async () => {
  await using api = await startApi();
  const { paths } = await documentOf(api);
  const part = fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 300 }).filter((text) => text.isWellFormed())
      .map(encodeURIComponent),
    fc.constantFrom("%ff", "%", "%00", "..", "a%2Fb", "ann"),
  );
  const calls = fc.tuple(fc.constantFrom("users", "items"), part, fc.constantFrom("GET", "DELETE"));
  await fc.assert(
    fc.asyncProperty(calls, async ([kind, part, method]) => {
      const answer = await api.request(`/v1/${kind}/${part}`, { method });
      assert.ok(answer.status < 500, answer.text);
      const template = kind === "users" ? "/v1/users/{user}" : "/v1/items/{item}";
      const operation = paths[template]?.[method.toLowerCase()];
      if (operation !== undefined && ![".", ".."].includes(part)) checkAnswer(operation, answer);
      else assert.ok([404, 405].includes(answer.status), answer.text);
    }),
    { numRuns: RUNS },
  );
});

Deno.test("every GET answers as OpenAPI describes", async () => {
  await using api = await startApi();
  await api.post("/v1/recommend", { user: "ann" });
  const document = await documentOf(api);
  let checked = 0;
  for (const [path, operations] of Object.entries(document.paths)) {
    const operation = operations["get"];
    if (operation === undefined || isStream(operation)) continue;
    checkAnswer(operation, await api.get(path.replace("{user}", "ann")));
    checked++;
  }
  assert.ok(checked >= 7);
});
