/** A stream that can be judged: its records, and what a protocol needs to know about it. */

import type { InteractionEvent } from "../../src/events/event.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { openMapped } from "../../streams/sources/mapped.ts";
import { openSource } from "../../streams/sources/open.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import type { RecordFormat } from "../flags/record_format.ts";
import type { Positive } from "./targets.ts";

/** A stream; it is read twice. */
export interface Stream {
  /** Name of the stream in messages. */
  readonly name: string;
  /** Reads it from the beginning. */
  open(): AsyncIterable<SourceRecord>;
  readonly profile: TaskOptions;
  /** What is judged. @default {what the blend learns from} */
  readonly positives?: readonly Positive[];
  /** Whether a user's first behaviour is not judged. @default {false} */
  readonly knownUsers?: boolean;
  /** Whether a behaviour is held out: judged, but never learnt. If given, only such behaviours are judged. */
  readonly isHeld?: (event: InteractionEvent) => boolean;
  /** Whether equal times are ordered by user and line. @default {false} */
  readonly tiesByUser?: boolean;
}

/** The stream of a file or folder. */
export function streamOf(format: RecordFormat, path: string): Stream {
  if (typeof format !== "string") {
    return { name: path, open: () => openMapped(path, format), profile: PROFILES.meander };
  }
  const stream = { name: path, open: () => openSource(format, path), profile: PROFILES[format] };
  switch (format) {
    case "ml-100k":
      return { ...stream, tiesByUser: true };
    case "taobao":
      return { ...stream, positives: [{ action: "view", atLeast: -Infinity }], knownUsers: true };
    default:
      return stream;
  }
}
