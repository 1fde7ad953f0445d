/** Topics of one deployment are mapped together: what one names, another one has. */

import assert from "node:assert/strict";
import { suggestTogether } from "../../src/mapping/suggestions/together.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { tryRecords } from "../../streams/mapping/trial.ts";

const TIME = Date.UTC(2026, 10, 27, 10);
const KNOWN = { actions: ["click", "view", "dislike"], userFields: [], itemFields: [], contextFields: [] };

const rows = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n));

/** Lists, plays that name them by another name, logins, and pages without an item. */
const LISTS = rows(60, (n) => ({
  token: `t${n - (n % 20 === 19 ? 1 : 0)}`,
  deviceId: `d${n % 9}`,
  shownAt: (TIME + n) * 1000,
  tiles: [{ videoId: n % 7 }, { videoId: 7 }],
}));
const PLAYS = rows(60, (n) => ({
  what: ["play", "skip", "page_view"][n % 3],
  at: TIME + n,
  deviceId: `d${n % 9}`,
  ...(n % 2 === 0 && { accountId: `a${n % 9}` }),
  ...(n % 3 < 2 && { videoId: n % 7, from: `t${n}` }),
}));
const LOGINS = rows(30, (n) => ({ deviceId: `d${n}`, accountId: `a${n}`, at: TIME + n }));

function suggested(...topics: readonly (readonly [name: string, values: readonly unknown[]])[]) {
  const all = topics.map(([name, values]) => ({ name, values, isKeyed: true }));
  return suggestTogether(all).map(({ mapping: { rules = [] }, open }) => ({ rules, open: open.join("; ") }));
}

Deno.test("suggestTogether() has plays name the lists of another topic, by values that they share", () => {
  const [lists, plays] = suggested(["lists", LISTS], ["plays", PLAYS]);
  assert.equal(lists?.rules[0]?.fields?.["request"], "token");
  assert.equal(plays?.rules[0]?.fields?.["request"], "from");
  assert.match(plays?.open ?? "", /from names the list .* those of token in lists/);
  const [alone] = suggested(["plays", PLAYS]);
  assert.equal(alone?.rules[0]?.fields?.["request"], undefined);
  const [, others] = suggested(["lists", LISTS.map((list) => ({ ...list, token: `x${list.token}` }))], [
    "plays",
    PLAYS,
  ]);
  assert.equal(others?.rules[0]?.fields?.["request"], undefined);
});

Deno.test("suggestTogether() takes skips for dislikes, and words whose records have no item for nothing", () => {
  const [plays] = suggested(["plays", PLAYS]);
  assert.deepEqual(plays?.rules.map(({ as, when }) => [as, when]), [
    ["interaction", { what: ["play", "skip"] }],
    ["nothing", { what: ["page_view"] }],
  ]);
  assert.match(plays?.open ?? "", /page_view become nothing.*skip is taken as dislike/);
  assert.deepEqual(plays?.rules[0]?.fields?.["action"], {
    path: "what",
    values: { play: "view", skip: "dislike" },
  });
});

Deno.test("suggestTogether() hands devices over to users by a topic of logins, and asks about them otherwise", () => {
  const [plays] = suggested(["plays", PLAYS]);
  assert.match(plays?.open ?? "", /To hand them over at a login/);
  const [known, logins] = suggested(["plays", PLAYS], ["logins", LOGINS]);
  assert.doesNotMatch(known?.open ?? "", /login/);
  assert.deepEqual(logins?.rules, [
    {
      name: "logins",
      as: "alias",
      fields: { user: "deviceId", of: "accountId", time: { path: "at", unit: "ms" } },
    },
  ]);
});

Deno.test("tryRecords() finds sources that name other lists or items than those of other sources", () => {
  const bytes = (values: readonly object[]) =>
    values.map((value) => ({ bytes: new TextEncoder().encode(JSON.stringify(value)), meta: {} }));
  const missing = (prefix: string) => {
    const lists = compileSource("lists", {
      rules: [{
        as: "impression",
        fields: { user: "deviceId", time: "shownAt", items: "tiles[*].videoId", request: "token" },
      }],
    });
    const plays = compileSource("plays", {
      otherwise: "skip",
      rules: [{
        as: "interaction",
        when: { from: { exists: true } },
        fields: {
          user: "deviceId",
          time: "at",
          item: "videoId",
          action: { value: "click" },
          request: { template: `${prefix}{from}` },
        },
      }],
    });
    const tried = [{ source: lists, records: bytes(LISTS) }, { source: plays, records: bytes(PLAYS) }];
    return tryRecords(tried, KNOWN).missing.join("; ");
  };
  assert.doesNotMatch(missing(""), /request/);
  assert.match(
    missing("list-"),
    /no interaction\.request of these records is an impression\.request: list-t0 and t0, for example/,
  );
  assert.doesNotMatch(missing(""), /no impressions/);
});
