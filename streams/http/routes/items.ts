/** Reads an item back, as its newest record on the log. */

import { shown } from "../../../src/events/rejected.ts";
import type { ApiContext } from "../context.ts";
import { Problem } from "../contract/problem.ts";
import { ITEM_RECORD } from "../contract/record_schemas.ts";
import { within } from "../deadline.ts";
import type { Endpoint } from "../endpoint.ts";
import type { ItemMirror } from "./item_mirror.ts";

export function itemEndpoint({ answerTimeoutMs }: ApiContext, items: Pick<ItemMirror, "get">): Endpoint {
  return {
    method: "GET",
    path: "/v1/items/:item",
    id: "getItem",
    summary: "Reads an item back",
    description:
      "Sees every write that was answered before, whichever process took it; on Kafka, once transactions before it " +
      "have ended. Lists follow soon after.",
    scope: "read",
    parameters: { item: "Id of the item" },
    answers: {
      200: { description: "Its newest record, with fields that nothing reads", schema: ITEM_RECORD },
    },
    problems: ["not-found", "unavailable", "answer-timeout"],
    handle: async ({ parameters: { item: id = "" } }) => {
      const item = await within(items.get(id), answerTimeoutMs, () => {
        const detail =
          `The catalogue was not read within ${answerTimeoutMs} ms; ask again, as it is still being read`;
        return new Problem("answer-timeout", detail);
      });
      if (item !== undefined) return Response.json(item);
      const detail = `item ${shown(id)} is not in the catalogue: it was never added, or it was removed`;
      throw new Problem("not-found", detail);
    },
  };
}
