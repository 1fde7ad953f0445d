/**
 * Erases a user, and tells how far that is.
 *
 * @module
 */

import { checkEventFields } from "../../src/events/check.ts";
import { ARRIVED_HEADERS } from "../arrival.ts";
import { partitionOf } from "../log/partitioner.ts";
import { viewErasure } from "../service/erasure_view.ts";
import type { Call } from "./endpoint.ts";
import { type ApiContext, append } from "./endpoints.ts";
import { Problem } from "./problem.ts";

/** Appends the event, and answers with where it stands. */
export async function forgetUser(context: ApiContext, { parameters }: Call): Promise<Response> {
  const user = parameters["user"] ?? "";
  const time = context.now();
  const event = { type: "forget", user, time } as const;
  const checked = checkEventFields(event);
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  const partition = partitionOf(user, context.partitions);
  const value = new TextEncoder().encode(JSON.stringify(event));
  const record = {
    topic: context.topics.events,
    partition,
    key: user,
    value,
    time,
    headers: ARRIVED_HEADERS,
  };
  const [offset = 0] = await append(context, [record]);
  return Response.json({ accepted: 1, refused: [], erasure: { partition, offset } });
}

/** What an erasure has left where, by the place of its event: the id is in no address. */
export async function getErasure(context: ApiContext, { parameters }: Call): Promise<Response> {
  const [partition, offset] = [Number(parameters["partition"]), Number(parameters["offset"])];
  const isPlace = [partition, offset].every((n) => Number.isSafeInteger(n) && n >= 0);
  if (!isPlace || partition >= context.partitions) {
    throw new Problem(
      "bad-parameter",
      "Cannot find the erasure: give partition and offset as DELETE has answered",
    );
  }
  const progress = await context.service?.erasure(partition, offset) ?? null;
  return Response.json(await viewErasure(context, { partition, offset }, progress, context.now()));
}
