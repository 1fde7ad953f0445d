import assert from "node:assert/strict";
import fc from "fast-check";
import type { Sample } from "../../../src/samples/sample.ts";
import type { LabelPolicy } from "../../../src/users/pending/label_policy.ts";
import { Story } from "../../engine/story.ts";

const WINDOW_MS = 100, LATE_MS = 200;

/** Lists, some of which get another item later, and their clicks, some late, some too late. */
const lists = fc.array(
  fc.record({
    more: fc.option(fc.integer({ min: 1, max: WINDOW_MS - 1 }), { nil: undefined }),
    clicks: fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.integer({ min: 0, max: 400 })), { maxLength: 5 }),
  }),
  { minLength: 1, maxLength: 4 },
);
type Lists = typeof lists extends fc.Arbitrary<infer T> ? T : never;

function tell(policy: LabelPolicy, told: Lists): readonly Sample[] {
  const story = new Story({ labelPolicy: policy, lateOutcomeMs: LATE_MS });
  const events = told.flatMap(({ more, clicks }, n) => {
    const at = 1000 + 7 * n, request = `r${n}`;
    return [
      { time: at, tell: () => story.show(at, ["a", "b"], { request }) },
      ...more === undefined
        ? []
        : [{ time: at + more, tell: () => story.show(at + more, ["a", "b", "c"], { request }) }],
      ...clicks.map(([item, after]) => (
        { time: at + after, tell: () => story.click(at + after, item, { request }) }
      )),
    ];
  });
  for (const { tell } of events.toSorted((one, other) => one.time - other.time)) tell();
  story.tick(10_000);
  return story.samples;
}

/** Rows as `request item label`, sorted. */
const rowsOf = (samples: readonly Sample[]) =>
  samples.flatMap(({ request, rows }) => rows.map(({ item, label }) => `${request} ${item} ${label}`)).sort();

/** What a policy should learn besides the labels of the window. */
function wanted(policy: LabelPolicy, told: Lists): string[] {
  if (policy === "window") return [];
  const isFake = policy !== "late";
  return told.flatMap(({ more, clicks }, n) => {
    const items = ["a", "b", ...more === undefined ? [] : ["c"]];
    const clicked = ["a", "b"].filter((item) => {
      const first = Math.min(...clicks.filter(([clicked]) => clicked === item).map(([, after]) => after));
      return first <= WINDOW_MS + LATE_MS && (isFake || first > WINDOW_MS);
    });
    return [
      ...isFake ? items.map((item) => `r${n} ${item} 0`) : [],
      ...clicked.map((item) => `r${n} ${item} 1`),
    ];
  }).sort();
}

for (const policy of ["window", "late", "fnw"] as const) {
  Deno.test(`labelPolicy ${policy} learns each row and click once, and judges by the labels of the window`, () => {
    fc.assert(fc.property(lists, (told) => {
      const samples = tell(policy, told);
      const judged = samples.filter(({ purpose }) => purpose !== "learn");
      assert.deepEqual(rowsOf(judged), rowsOf(tell("window", told)));
      const learnt = samples.filter(({ purpose }) => purpose === "learn");
      assert.deepEqual(rowsOf(learnt), wanted(policy, told));
      for (const { purpose } of judged) assert.equal(purpose, policy === "fnw" ? "judge" : undefined);
      for (const { lateShare: share = NaN } of samples) {
        if (policy === "late") assert.ok(share >= 0 && share < 1, `${share}`);
      }
      for (const { lateShare: share } of learnt) if (policy === "fnw") assert.equal(share, 1);
    }));
  });
}
