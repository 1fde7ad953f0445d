/** A source as the steps of a protocol: each interaction, with the records since the previous one. */

import type { Event, InteractionEvent, ItemRecord } from "../../src/events/event.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";

/** An interaction, or the end. */
export interface Step {
  /** Events since the last interaction, this one last. Requests are left out: the protocol makes its own. */
  readonly events: readonly Event[];
  /** `null` after the last one. */
  readonly interaction: InteractionEvent | null;
  /** Records of the catalogue since the last step. */
  readonly items: readonly ItemRecord[];
  /** The line of the interaction. */
  readonly line: number;
}

/** Puts steps of the same time in the order of user and line. */
export async function* byUserAndLine(steps: AsyncIterable<Step>): AsyncGenerator<Step> {
  let held: Step[] = [];
  const sorted = () => {
    const user = ({ interaction }: Step) => interaction === null ? Infinity : Number(interaction.user);
    const before = held.sort((a, b) => user(a) - user(b) || a.line - b.line);
    held = [];
    return before;
  };
  for await (const step of steps) {
    if (held.length > 0 && step.interaction?.time !== held[0]!.interaction?.time) yield* sorted();
    held.push(step);
  }
  yield* sorted();
}

export async function* stepsOf(source: AsyncIterable<SourceRecord>): AsyncGenerator<Step> {
  let events: Event[] = [];
  let items: ItemRecord[] = [];
  for await (const record of source) {
    if (record.kind === "item") items.push(record.item);
    if (record.kind !== "event" || record.event.type === "request") continue;
    events.push(record.event);
    if (record.event.type !== "interaction") continue;
    yield { events, interaction: record.event, items, line: record.line };
    [events, items] = [[], []];
  }
  if (events.length > 0) yield { events, interaction: null, items, line: Infinity };
}
