import assert from "node:assert/strict";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { tryRecords } from "../../streams/mapping/trial.ts";

Deno.test("tryRecords() says what to do about records that match no rule, unless the source skips them", () => {
  const records = ["view", "search", "search"].map((evt) => ({
    bytes: new TextEncoder().encode(JSON.stringify({ evt, sku: "a", uid: "u", ts: Date.UTC(2026, 10, 27) })),
    meta: {},
  }));
  const rule = {
    as: "interaction" as const,
    when: { evt: "view" },
    fields: { user: "uid", time: "ts", item: "sku", action: "evt" },
  };
  const missing = (otherwise?: "skip") => {
    const source = compileSource("web", { rules: [rule], otherwise });
    return tryRecords([{ source, records }], {
      actions: ["view"],
      userFields: [],
      itemFields: [],
      contextFields: [],
    })
      .missing.join();
  };
  assert.match(missing(), /2 records match no rule: write one for them, or set "otherwise": "skip"/);
  assert.doesNotMatch(missing("skip"), /no rule/);
});

Deno.test("tryRecords() counts interactions that are too late by their user, and takes no wrong clock for newer", () => {
  const time = Date.UTC(2026, 10, 27), hour = 3_600_000;
  const rule = {
    as: "interaction" as const,
    fields: { user: "uid", time: "ts", item: "sku", action: { value: "view" } },
  };
  const source = compileSource("web", { rules: [rule] });
  const missing = (ahead: number, allowedLatenessMs?: number) => {
    const records = [["u", 0], ["u", ahead], ["v", -hour], ["u", -2 * hour]].map(([uid, at]) => ({
      bytes: new TextEncoder().encode(JSON.stringify({ uid, sku: "a", ts: time + Number(at) })),
      meta: { time: time + 1000 },
    }));
    const known = { actions: ["view"], userFields: [], itemFields: [], contextFields: [] };
    return tryRecords([{ source, records }], known, allowedLatenessMs).missing.join();
  };
  assert.match(missing(1), /1 interactions are older .* allowedLatenessMs \(300000\)/);
  assert.doesNotMatch(missing(1, 2 * hour + 1), /older/);
  assert.match(missing(1, 2 * hour), /older/);
  assert.doesNotMatch(missing(5 * 365 * 24 * hour, 2 * hour), /older/);
});
