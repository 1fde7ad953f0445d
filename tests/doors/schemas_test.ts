/** The documents of the doors agree with the bodies that the doors accept. */

import assert from "node:assert/strict";
import { SCHEMAS } from "../../streams/doors/schemas.ts";
import { matches } from "../events/schema_checker.ts";
import { NOW, startApi } from "../server/deployment.ts";

const feedback = { FeedbackType: "star", UserId: "ann", ItemId: "i1" };
const event = { id: "e1", timestamp: NOW };
const click = { ...event, event: "interaction", item: "i1", type: "click" };
const items = [{ id: "i1" }];

/** Bodies by path and schema: first those that are accepted, then those that are not. */
const BODIES:
  readonly (readonly [path: string, schema: keyof typeof SCHEMAS, taken: object[], refused: object[]])[] = [
    ["POST /api/user", "GorseUser", [{ UserId: "ann", Labels: { city: "Oslo" } }], [{}, { UserId: "" }, {
      UserId: "a\n",
    }]],
    ["PATCH /api/user/ann", "GorseUserPatch", [{ Labels: { city: "Rome" } }, {}], [{ Comment: 7 }]],
    ["POST /api/item", "GorseItem", [{ ItemId: "i9", Categories: ["red"], IsHidden: null }], [
      {},
      { ItemId: null },
      { ItemId: "i9", Categories: [""] },
    ]],
    ["PATCH /api/item/i1", "GorseItemPatch", [{ Comment: "One" }, { Categories: null }], [{
      Categories: [""],
    }]],
    ["POST /api/feedback", "GorseFeedback", [feedback, { ...feedback, Timestamp: null }], [
      { ...feedback, UserId: "" },
      { ...feedback, FeedbackType: "" },
    ]],
    ["POST /api/session/recommend", "GorseSession", [
      feedback,
      { ...feedback, UserId: "" },
      { ...feedback, UserId: null },
      { FeedbackType: "star", ItemId: "i1" },
    ], [{ ...feedback, ItemId: "" }, { ...feedback, UserId: "a".repeat(257) }]],
    ["POST /feedback", "MetarankEvent", [
      { ...event, event: "item", item: "i8", fields: [{ name: "title", value: "Eight" }] },
      { ...event, event: "user", user: "ann" },
      { ...event, event: "ranking", user: "ann", items },
      { ...event, event: "ranking", user: null, session: "s1", items },
      { ...click, user: "ann" },
      { ...click, session: "s1" },
    ], [
      { ...event, event: "item" },
      { ...event, event: "user" },
      { ...event, event: "ranking", items },
      { ...click },
      { ...click, user: "ann", timestamp: 0 },
      { ...click, user: "ann", timestamp: "" },
      { ...click, user: "ann", fields: [{ name: "x", value: null }] },
      { ...click, user: "ann", fields: [{ name: "x", value: {} }] },
    ]],
  ];

Deno.test("doors accept the bodies that their documents describe, and refuse others", async () => {
  await using api = await startApi({ doors: ["gorse", "metarank"] });
  for (const [path, name, taken, refused] of BODIES) {
    const [method = "", target = ""] = path.split(" ");
    for (const body of [...taken, ...refused]) {
      const wanted = taken.includes(body);
      const { status, text } = await api.request(target, {
        method,
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      });
      const about = `${path} ${JSON.stringify(body)}: ${text}`;
      assert.equal(status, wanted ? 200 : 422, about);
      assert.equal(matches(SCHEMAS[name].json, body), wanted, about);
    }
  }
});
