/** Applies a task's events to its state. */

import { dateOf } from "../../src/values/date_of.ts";
import { getLogger } from "@logtape/logtape";
import { MAX_AHEAD_MS } from "../../src/events/limits.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import type { LogRecord } from "../log/log.ts";
import { partitionOf } from "../log/partitioner.ts";
import { arrivalOf, isLetIn } from "../topics/arrival.ts";
import { TaskExperiments } from "./experiments.ts";
import type { EventRead } from "./inputs/event_reader.ts";
import type { TaskParts } from "./task_parts.ts";

/** {@linkcode MAX_AHEAD_MS} of what our servers have let in: clocks that are further apart need mending, not an allowance. */
const MAX_APART_MS = 86_400_000;

const logger = getLogger(["meander", "task"]);

/** Applies events, and rejects those that cannot be applied: invalid, undated or from the future. */
export class EventApplier {
  /** Offset of the newest `forget`, or `merge` of a user erased since; −1 = none. */
  lastErasure = -1;
  readonly #parts: TaskParts;
  #hasMisplaced = false;

  constructor(parts: TaskParts) {
    this.#parts = parts;
  }

  /** Applies a record of `events`, an event or a change of an experiment, after the items whose place is before it. */
  apply(read: EventRead): void {
    const { catalogue, experiments, outbox } = this.#parts;
    const { record } = read;
    catalogue.applyBefore(record.offset);
    const rejected = TaskExperiments.isChange(record) ? experiments.apply(record) : this.#applyToState(read);
    if (rejected !== null) outbox.reject(record, rejected);
  }

  #applyToState({ record, decoded }: EventRead): Pick<Rejected, "code" | "reason"> | null {
    if (!decoded.ok) return decoded;
    const { event } = decoded;
    if (event.type === "forget") this.lastErasure = record.offset;
    this.#checkPlace(event.user, record);
    const arrival = arrivalOf(record);
    if (arrival === null) {
      const reason =
        `Cannot date the event by its record's time: current value is ${record.time}, which is not in ` +
        "milliseconds of 1990-01-01..2100-01-01; have the producer set one, or the topic " +
        "(message.timestamp.type=LogAppendTime)";
      return reject("time-out-of-range", reason);
    }
    const { state, outbox } = this.#parts;
    const now = Math.max(arrival.time, state.maxTime);
    // Of two clocks that disagree, nobody knows which is wrong; the event counts as of the broker's.
    const limit = isLetIn(record) ? MAX_APART_MS : MAX_AHEAD_MS;
    if (event.time - now > limit) {
      const whose = isLetIn(record) ? "event time, by the clock of our server" : "event time";
      const apart = `more than ${limit / 3_600_000} h ahead of ${
        dateOf(now)
      }, that of the record or the clock`;
      return reject("in-the-future", `${whose}, ${dateOf(event.time)}, is ${apart}`);
    }
    const { erasedMerges } = state.counters;
    const rejected = state.apply(event, record.offset, outbox.outputs, arrival);
    if (state.counters.erasedMerges > erasedMerges) this.lastErasure = record.offset;
    const { settledBefore } = state;
    outbox.seal(record.offset, {
      settledBefore,
      surface: event.type === "request" ? event.surface : undefined,
    });
    return rejected;
  }

  /** Counts an event that is not in its user's partition, and logs the first. It is applied here all the same. */
  #checkPlace(user: string, { offset }: LogRecord): void {
    const { state, partition, partitions, place } = this.#parts;
    const rightful = partitionOf(user, partitions);
    if (rightful === partition) return;
    state.counters.misplaced++;
    if (this.#hasMisplaced) return;
    this.#hasMisplaced = true;
    logger.error(
      "{place}@{offset} is an event of a user who belongs to partition {rightful} of {partitions}: its producer does not key " +
        "events by user, or not as Kafka does, so states and lists see only part of what a user did. Key by user, or " +
        "start afresh under another --prefix, and follow this topic (docs/how-to/deploy-on-kafka.md). Further such events are only counted (misplaced)",
      { place, offset, rightful, partitions },
    );
  }
}
