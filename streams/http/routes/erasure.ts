/**
 * Erases a user, and tells how far that is.
 *
 * @module
 */

import { checkEventFields } from "../../../src/events/check.ts";
import { ARRIVED_HEADERS } from "../../topics/arrival.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { viewErasure } from "../../service/erasure/erasure_view.ts";
import type { Call, Parameter } from "../endpoint.ts";
import { type ApiContext, append } from "../context.ts";
import { Problem } from "../contract/problem.ts";

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

/** A part of the place of an erasure. */
const PLACE_PART: Parameter = {
  about: "As the erasure was answered",
  schema: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
};
/** The place of an erasure, as parts of a path. */
export const PLACE = { partition: PLACE_PART, offset: PLACE_PART } as const;
/** How a number is written in it. */
const DIGITS = /^(0|[1-9]\d{0,15})$/;

/** What an erasure has left where, by the place of its event: the id is in no address. */
export async function getErasure(context: ApiContext, { parameters }: Call): Promise<Response> {
  const parts = [parameters["partition"] ?? "", parameters["offset"] ?? ""];
  const [partition = 0, offset = 0] = parts.map(Number);
  if (!parts.every((part) => DIGITS.test(part) && Number.isSafeInteger(Number(part)))) {
    throw new Problem(
      "bad-parameter",
      "Cannot find the erasure: give partition and offset as DELETE has answered",
    );
  }
  if (partition >= context.partitions) {
    const there = `current value is ${partition}, and there are ${context.partitions} partitions`;
    throw new Problem("not-found", `Cannot find the erasure by its partition: ${there}`);
  }
  const progress = await context.service?.erasure(partition, offset) ?? null;
  return Response.json(await viewErasure(context, { partition, offset }, progress, context.now()));
}
