/** What can be exported: from which topic, and how its records become lines of JSON. */

import { decodeEvent, decodeItem, decodeRecommendation } from "../../src/events/codec.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { decodeExperiment } from "../experiments/record.ts";
import type { LogRecord } from "../log/log.ts";
import type { Topics } from "../topics/topics.ts";

export interface ExportedLine {
  /** Event time, milliseconds since the epoch, by which lines are ordered and chosen. */
  readonly time: number;
  /** JSON without line breaks. */
  readonly json: string;
}

/** Something that can be exported. */
export interface Content {
  readonly topic: keyof Topics;
  /** Whether the key of a record is the user. */
  readonly byUser: boolean;
  /** Reads a record; `null` when it is of another kind, or unreadable. */
  read(record: LogRecord): ExportedLine | null;
}

/** What can be exported, by name. */
export const CONTENTS = {
  events: {
    topic: "events",
    byUser: true,
    read: ({ value }) => {
      const decoded = value === null ? null : decodeEvent(value);
      return decoded?.ok ? lineOf(decoded.event.time, decoded.event) : null;
    },
  },
  items: {
    topic: "items",
    byUser: false,
    read: ({ value }) => {
      const decoded = value === null ? null : decodeItem(value);
      return decoded?.ok ? lineOf(decoded.item.time, decoded.item) : null;
    },
  },
  recommendations: {
    topic: "recommendations",
    byUser: true,
    read: recommendationOf,
  },
  lists: {
    topic: "lists",
    byUser: true,
    read: recommendationOf,
  },
  samples: {
    topic: "samples",
    byUser: true,
    read: ({ key, time, value }) => {
      if (value === null) return lineOf(time, { user: key, time, erased: true });
      const sample = attempt(() => decodeSample(value));
      return sample && lineOf(sample.time, { ...sample, rows: [...sample.rows] });
    },
  },
  experiments: {
    topic: "experiments",
    byUser: false,
    read: ({ time, value }) => {
      const record = value && attempt(() => decodeExperiment(value));
      return record && lineOf(time, record);
    },
  },
} as const satisfies Readonly<Record<string, Content>>;

export type ContentName = keyof typeof CONTENTS;

function recommendationOf({ value }: LogRecord): ExportedLine | null {
  const decoded = value === null ? null : decodeRecommendation(value);
  return decoded?.ok ? lineOf(decoded.recommendation.time, decoded.recommendation) : null;
}

function lineOf(time: number, value: object): ExportedLine {
  return { time, json: JSON.stringify(value, plain) };
}

/** Turns typed arrays into lists; JSON turns numbers that are not finite into `null`. */
function plain(_name: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as unknown as ArrayLike<number>) // all other views are lists of numbers
    : value;
}

function attempt<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
}
