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
    return tryRecords(source, records, {
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
