/**
 * Ways to poison a stretch of a stream.
 *
 * @module
 */

import type { Event } from "../../src/events/event.ts";
import type { Log, NewRecord, Writer } from "../../streams/log/log.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";

/** Size of the stream and where it is poisoned, in page views. */
export const STREAM = { views: 1300, from: 600, to: 760 } as const;

/** The stream without poison. */
export function cleanRecords(seed = 21): SourceRecord[] {
  return syntheticRecords({ views: STREAM.views, users: 40, items: 60, seed });
}

/** Number of the page view that a record belongs to; −1 if it belongs to none. */
function viewOf(record: SourceRecord): number {
  if (record.kind !== "event") return -1;
  const { event } = record;
  const request = "request" in event ? event.request : undefined;
  return request === undefined ? -1 : Number(request.slice(1));
}

/** Whether a record belongs to the poisoned stretch. */
function poisoned(record: SourceRecord): boolean {
  const view = viewOf(record);
  return view >= STREAM.from && view < STREAM.to;
}

/** Changes the events of the stretch; each may become any number of events. */
function within(
  records: readonly SourceRecord[],
  change: (event: Event) => readonly Event[],
): SourceRecord[] {
  return records.flatMap((record): SourceRecord[] =>
    record.kind === "event" && poisoned(record)
      ? change(record.event).map((event) => ({ ...record, event }))
      : [record]
  );
}

/** People click on exactly what they would not have clicked. */
export function flipped(records: readonly SourceRecord[]): SourceRecord[] {
  const clicked = new Set(
    records.flatMap((record) =>
      record.kind === "event" && record.event.type === "interaction" && record.event.action === "click"
        ? [`${record.event.request} ${record.event.item}`]
        : []
    ),
  );
  return within(records, (event) => {
    if (event.type === "interaction") return [];
    if (event.type !== "impression") return [event];
    const { user, time, request = "", items } = event;
    const others = items.filter((item) => !clicked.has(`${request} ${item}`));
    return [
      event,
      ...others.map((item): Event => ({
        type: "interaction",
        id: `x${request}-${item}`,
        user,
        time: time + 1000,
        item,
        action: "click",
        request,
      })),
    ];
  });
}

/** For every list shown to a user, a robot is shown four and clicks on everything. */
export function flooded(records: readonly SourceRecord[]): SourceRecord[] {
  return within(records, (event) => {
    if (event.type !== "impression") return [event];
    const lists = [0, 1, 2, 3].flatMap((n): Event[] => {
      const { time, items } = event;
      const request = `flood-${event.request}-${n}`;
      const user = "robot";
      return [
        { type: "impression", id: request, user, time, request, items },
        ...items.map((item): Event => ({
          type: "interaction",
          id: `${request}-${item}`,
          user,
          time: time + 10,
          item,
          action: "click",
          request,
        })),
      ];
    });
    return [event, ...lists];
  });
}

/** Every click comes with ratings at the ends of float64. */
export function exploding(records: readonly SourceRecord[]): SourceRecord[] {
  return within(records, (event) => {
    if (event.type !== "interaction") return [event];
    const { user, time, item } = event;
    const ratings = [1e308, -1e308].map((value): Event => (
      { type: "interaction", user, time, item, action: "rating", value }
    ));
    return [event, ...ratings];
  });
}

/** Every list has items that were never seen before and never will be again; a fifth of them is clicked. */
export function churned(records: readonly SourceRecord[]): SourceRecord[] {
  const fresh = (item: string, request = "") => `${item}-${request}`;
  return within(records, (event) => {
    if (event.type === "request") {
      const { candidates, ...rest } = event;
      return [
        candidates === undefined
          ? rest
          : { ...rest, candidates: candidates.map((id) => fresh(id, event.request)) },
      ];
    }
    if (event.type === "impression") {
      return [{ ...event, items: event.items.map((id) => fresh(id, event.request)) }];
    }
    return event.type === "interaction" ? [{ ...event, item: fresh(event.item, event.request) }] : [event];
  });
}

const TEN_YEARS = 10 * 365 * 86_400_000;

/** A clock is ten years ahead. */
export function jumped(records: readonly SourceRecord[]): SourceRecord[] {
  return within(records, (event) => [{ ...event, time: event.time + TEN_YEARS }]);
}

/** A log with a clock of its own: events of {@linkcode jumped} arrive when they would have without the jump. */
export function clockedLog(log: Log, before: number): Log {
  const onTime = (record: NewRecord): NewRecord =>
    record.time < before ? record : { ...record, time: record.time - TEN_YEARS };
  return new Proxy(log, {
    get(target, name) {
      if (name !== "writer") {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      }
      return async (id: string): Promise<Writer> => {
        const writer = await target.writer(id);
        return {
          id,
          commit: (commit) => writer.commit({ ...commit, records: commit.records.map(onTime) }),
          [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
        };
      };
    },
  });
}
