/** What is known about a user, for people. */

import { z } from "zod";
import type { TaskState } from "../../../src/engine/task_state.ts";
import { isShown } from "../../../src/users/pending/pending.ts";
import type { UserState } from "../../../src/users/user_state.ts";
import type { ApiContext } from "../context.ts";
import { named } from "../contract/named_schema.ts";
import { notKnown } from "../contract/not_known.ts";
import type { Endpoint } from "../endpoint.ts";
import { taskOf } from "./fresh_task.ts";

const count = z.int().min(0);
const time = count.describe("Milliseconds since the epoch.");

/** The title of an item, for people. */
export const titleSchema = z.string().optional().describe(
  "The item's title, or its attribute `title` or `name`, at most 60 characters; absent where it has none.",
);

export const behaviourSchema = z.object({
  item: z.string(),
  title: titleSchema,
  categories: z.array(z.string()),
  action: z.string(),
  time,
  strength: z.number(),
});

const { User } = named({
  User: z.object({
    user: z.string(),
    profile: z.record(z.string(), z.unknown()),
    totalBehaviours: count,
    behaviours: z.array(behaviourSchema).describe("Behaviours that are kept, oldest first."),
    pending: z.array(z.object({
      request: z.string(),
      shown: z.boolean(),
      time,
      deadline: time,
      items: z.array(z.object({
        item: z.string(),
        title: titleSchema,
        label: z.union([z.literal(0), z.literal(1), z.null()]),
        position: count,
      })),
    })).describe("Lists whose outcome is open."),
    parked: count.describe("Interactions that wait for the list that they name."),
    hidden: z.object({ size: count, version: count }).describe(
      "The recurrent state that is stored: its size, and the version of the parameters that computed it.",
    ),
    lastOffset: z.int().min(-1).describe("Offset of the user's last event."),
  }),
});

export function userEndpoint(context: ApiContext): Endpoint {
  return {
    method: "GET",
    path: "/v1/users/:user",
    id: "getUser",
    summary: "What is known about a user",
    scope: "read",
    parameters: { user: "Id of the user" },
    answers: {
      200: { description: "The user's state, including events that are not committed yet", schema: User },
    },
    problems: ["not-found", "elsewhere", "unavailable"],
    handle: async ({ parameters: { user = "" } }) => {
      const task = await taskOf(context, user);
      const view = await task.users.peek(user, (known) => viewUser(task.state, known));
      if (view === undefined) throw notKnown({ user });
      return Response.json(view);
    },
  };
}

/** The behaviours that are kept of a user, oldest first. */
export function behavioursOf({ sequences, catalogue }: TaskState, row: number) {
  return Array.from({ length: sequences.length(row) }, (_, i) => {
    const { id, title, categories } = catalogue.at(sequences.item(row, i));
    const [time, strength] = [sequences.time(row, i), sequences.strength(row, i)];
    return {
      item: id,
      title: title ?? undefined,
      categories,
      action: sequences.action(row, i),
      time,
      strength,
    };
  });
}

/** What is known about a user, as JSON. */
export type UserView = ReturnType<typeof viewUser>;

function viewUser(state: TaskState, user: UserState) {
  const { sequences, catalogue } = state;
  return {
    user: user.id,
    profile: user.profile,
    totalBehaviours: sequences.total(user.row),
    behaviours: behavioursOf(state, user.row),
    pending: [...user.pending.values()].map(({ request, stage, time, deadline, rows }) => ({
      request,
      shown: isShown({ stage }),
      time,
      deadline,
      items: rows.map(({ item, label, position }, row) => ({
        item,
        title: catalogue.get(item)?.title ?? undefined,
        label: rows.isOpen(row) ? null : label,
        position,
      })),
    })),
    parked: user.parked.length,
    hidden: { size: user.anchor?.floats().length ?? user.hidden.length, version: user.hiddenVersion },
    lastOffset: user.lastOffset,
  };
}
