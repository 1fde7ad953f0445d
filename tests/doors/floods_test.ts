/** Large bodies through the doors and `/v1/items` leave room for other requests, like those of `/v1/events`. */

import assert from "node:assert/strict";
import type { Portions } from "../../src/values/portions.ts";
import { FairWork } from "../../streams/http/contract/fair_work.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { NOW, startApi } from "../server/deployment.ts";

const ENTRIES = 400;
const of = <Value>(make: (n: number) => Value) => Array.from({ length: ENTRIES }, (_, n) => make(n));

const BODIES: readonly (readonly [path: string, body: readonly unknown[]])[] = [
  ["/api/feedback", of((n) => ({ FeedbackType: "click", UserId: `u${n}`, ItemId: "i1" }))],
  ["/api/users", of((n) => ({ UserId: `u${n}` }))],
  ["/api/items", of((n) => ({ ItemId: `i${n}` }))],
  [
    "/feedback",
    of((n) => ({
      event: "interaction",
      id: `e${n}`,
      timestamp: NOW,
      user: `u${n}`,
      item: "i1",
      type: "click",
    })),
  ],
  ["/feedback", of((n) => ({ event: "item", id: `e${n}`, timestamp: NOW, item: `i${n}` }))],
  ["/v1/items", of((n) => ({ item: `i${n}`, time: NOW }))],
  ["/v1/events", of((n) => ({ type: "interaction", user: `u${n}`, item: "i1", action: "click", time: NOW }))],
];

Deno.test("large bodies are appended in portions that the tasks have room for, at any endpoint", async (t) => {
  const { append } = MemoryLog.prototype;
  for (const [path, body] of BODIES) {
    await t.step(`${path} ${JSON.stringify(body[0]).slice(0, 20)}`, async () => {
      await using api = await startApi({ doors: ["gorse", "metarank"], maxBehindMs: 1 });
      let largest = 0, all = 0;
      MemoryLog.prototype.append = function (records) {
        largest = Math.max(largest, records.length);
        all += records.length;
        return append.call(this, records);
      };
      try {
        const { status, text } = await api.post(path, body);
        assert.equal(status, 200, text);
      } finally {
        MemoryLog.prototype.append = append;
      }
      assert.ok(all >= ENTRIES);
      assert.ok(largest <= 50, `${largest} at once`);
    });
  }
});

Deno.test("doors refuse events, but not items, while tasks are halted", async () => {
  await using api = await startApi({ doors: ["gorse", "metarank"] });
  Object.defineProperty(api.service, "faults", { value: ["Cannot read it"] });
  for (const [path, [entry]] of BODIES) {
    const isItem = path.endsWith("items") || JSON.stringify(entry).includes('"event":"item"');
    const { status, json } = await api.post(path, entry);
    assert.deepEqual([status, json.code], isItem ? [200, undefined] : [503, "unavailable"], path);
  }
});

Deno.test("a page of feedback covers 1,000 users at most, and its cursor leads to the others", async () => {
  await using api = await startApi({ doors: ["gorse"] });
  const views = Array.from({ length: 1500 }, (_, n) => ({
    FeedbackType: n === 1234 ? "click" : "view",
    ItemId: "i1",
    UserId: `u${`${n}`.padStart(4, "0")}`,
  }));
  assert.equal((await api.post("/api/feedback", views)).status, 200);
  const { json: first } = await api.get("/api/feedback/click?n=1");
  assert.deepEqual(first.Feedback, []);
  assert.notEqual(first.Cursor, "");
  const { json: second } = await api.get(`/api/feedback/click?n=1&cursor=${first.Cursor}`);
  assert.deepEqual(second.Feedback.map(({ UserId }: { UserId: string }) => UserId), ["u1234"]);
});

function* counted<Result>(work: Portions<Result>, count: () => void): Portions<Result> {
  for (;;) {
    count();
    const { done, value } = work.next();
    if (done === true) return value;
    yield;
  }
}

Deno.test("a large body of a door lets others have the thread while it is mapped and encoded", async () => {
  for (const [path, body] of BODIES) {
    await using api = await startApi({ doors: ["gorse", "metarank"] });
    const { run } = FairWork.prototype;
    let portions = 0;
    FairWork.prototype.run = function <Result>(name: string, work: Portions<Result>) {
      return run.call(this, name, counted(work, () => portions++)) as Promise<Result>; // `call` forgets the type parameter
    };
    try {
      assert.equal((await api.post(path, body)).status, 200);
    } finally {
      FairWork.prototype.run = run;
    }
    if (!path.startsWith("/v1/")) assert.ok(portions >= 2 * ENTRIES, `${path}: ${portions}`);
  }
});
