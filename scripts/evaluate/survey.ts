/** A first look at a stream: how much there is to judge, and what would make judging it pointless. */

import type { ActionPolicies } from "../../src/features/actions.ts";
import { Returns } from "../../src/retrieval/signals/returns.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import type { IsTarget } from "./targets.ts";

export interface Survey {
  /** Interactions with an action that is a behaviour. */
  readonly interactions: number;
  /** Interactions that are judged. */
  readonly targets: number;
  /** Whether users return to items, by the rule of a task that has seen the whole stream. */
  readonly comesBack: boolean;
  /** Users and items of the interactions. */
  readonly users: number;
  readonly items: number;
  /** Records that could not be read. */
  readonly rejected: number;
  /** Events that are earlier than their predecessor. */
  readonly unordered: number;
  /** Interactions whose action is not configured, by action. */
  readonly unknown: ReadonlyMap<string, number>;
}

/** What to count, and up to where. */
export interface SurveyOptions {
  readonly actions: ActionPolicies;
  readonly isTarget: IsTarget;
  /** Whether a user's first behaviour is not judged. */
  readonly knownUsers: boolean;
  /** Interactions after which to stop. @default {Infinity} */
  readonly limit?: number | undefined;
}

/** Reads a source to its end, or to the limit. */
export async function surveyOf(
  source: AsyncIterable<SourceRecord>,
  { actions, isTarget, knownUsers, limit = Infinity }: SurveyOptions,
): Promise<Survey> {
  const unknown = new Map<string, number>();
  const had = new Map<string, { readonly acts: Set<string>; behaviours: number }>();
  const returns = new Returns();
  const items = new Set<string>();
  let [interactions, targets, rejected, unordered, last] = [0, 0, 0, 0, -Infinity];
  for await (const record of source) {
    if (record.kind === "rejected") rejected++;
    if (record.kind !== "event") continue;
    const { event } = record;
    if (event.time < last) unordered++;
    last = event.time;
    if (event.type !== "interaction") continue;
    if (!Object.hasOwn(actions, event.action)) {
      unknown.set(event.action, (unknown.get(event.action) ?? 0) + 1);
      continue;
    }
    if (interactions >= limit) break;
    interactions++;
    items.add(event.item);
    const act = `${event.action} ${event.item}`;
    const own = had.get(event.user);
    if (isTarget(event) && !(knownUsers && own === undefined)) {
      targets++;
      if (own !== undefined) returns.learn(own.acts.has(act), own.behaviours);
    }
    if (own === undefined) had.set(event.user, { acts: new Set([act]), behaviours: 1 });
    else {
      own.acts.add(act);
      own.behaviours++;
    }
  }
  const [users, size] = [had.size, items.size];
  const { expected: comesBack } = returns;
  return { interactions, targets, comesBack, users, items: size, rejected, unordered, unknown };
}

/** A stream without anything that could be judged. */
export class NothingToJudge extends Error {
  override readonly name = "NothingToJudge";
}

/** @throws NothingToJudge with what to do about it */
export function checkSurvey(survey: Survey, data: string, actions: ActionPolicies): void {
  const { interactions, targets, rejected, unknown } = survey;
  const known = Object.keys(actions).join(", ");
  if (interactions === 0) {
    if (unknown.size > 0) {
      throw new NothingToJudge(
        `Cannot judge ${data}: its actions are ${
          [...unknown.keys()].slice(0, 8).join(", ")
        }, and the configuration ` +
          `has ${known}; name them under "actions" in --config`,
      );
    }
    const why = rejected > 0
      ? `all ${rejected} lines were rejected: check --format; \`meander map --try ${data}\` suggests one`
      : "it has no interactions";
    throw new NothingToJudge(`Cannot judge ${data}: ${why}`);
  }
  if (targets === 0) {
    throw new NothingToJudge(
      `Cannot judge ${data}: none of its ${interactions} behaviours is a positive; name positives by --positives, ` +
        `such as purchase,rating>=4`,
    );
  }
}
