/**
 * What the parts of the log contract share: how tests are registered, and helpers to inspect a log.
 *
 * @module
 */

import {
  canErase,
  canVerify,
  hasRetention,
  indexesKeys,
  isShared,
  type LogCapabilities,
} from "../../streams/log/capabilities.ts";
import {
  type Log,
  LogError,
  type LogErrorCode,
  type LogRecord,
  type NewRecord,
} from "../../streams/log/log.ts";

/** Where and how a test wants its log. */
export interface LogPlace {
  /** Name of the place: unique for a test, the same when the test opens it again. A valid topic name. */
  readonly place: string;
  /** Called between the steps of a commit; throwing is a crash there. */
  readonly onStep?: (step: string) => void;
}

export type OpenLog = (place: LogPlace) => Promise<Log>;

/** Traits that not every log has. */
export type LogTrait =
  /** What was acknowledged is there when the place is opened again. */
  | "restart"
  /** Calls `onStep`. */
  | "steps"
  /** Indexes the keys of a compact topic. */
  | "latest"
  /** Drops superseded records of a compact topic at once. */
  | "prompt compaction";

/** How the contract treats an implementation. */
export interface LogContractOptions {
  /** Why it is excused from a trait. */
  readonly excused?: Readonly<Partial<Record<LogTrait, string>>>;
  /** Runs per property. @default {50} */
  readonly runs?: number;
}

/** Registers tests for one implementation. */
export class LogSuite {
  readonly name: string;
  readonly open: OpenLog;
  readonly excused: Readonly<Partial<Record<LogTrait, string>>>;
  readonly runs: number;

  constructor(name: string, open: OpenLog, { excused = {}, runs = 50 }: LogContractOptions) {
    this.name = name;
    this.open = open;
    this.excused = excused;
    this.runs = runs;
  }

  /** A test with an open log; the place is the name of a topic that does not exist. */
  test(title: string, body: (log: Log, topic: string) => Promise<void>): void {
    Deno.test(`${this.name}.${title}`, async () => {
      const place = newPlace();
      await using log = await this.open({ place });
      await body(log, place);
    });
  }

  /** A test of a trait that an implementation may lack; it opens its logs itself. */
  testTrait(trait: LogTrait, title: string, body: () => Promise<void>): void {
    const reason = this.excused[trait];
    Deno.test({
      name: `${this.name}.${title}${reason === undefined ? "" : ` (excused: ${reason})`}`,
      ignore: reason !== undefined,
      fn: body,
    });
  }
}

/** A fresh place. */
export function newPlace(): string {
  return `contract-${crypto.randomUUID()}`;
}

/** Whether an error is a {@linkcode LogError} with this code. */
export function hasCode(code: LogErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof LogError && error.code === code;
}

/** A record whose value is a text. */
export function record(topic: string, partition: number, text: string): NewRecord {
  return { topic, partition, key: text, value: bytes(text), time: 1_000 };
}

/** All records of a partition at or above a position. */
export async function all(log: Log, topic: string, partition: number, from = 0): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const { end } = await log.bounds(topic, partition);
  for (let next = from; next < end;) {
    const result = await log.read(topic, partition, next);
    records.push(...result.records);
    next = result.next;
  }
  return records;
}

/** The values as texts. */
export function texts(records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => new TextDecoder().decode(value ?? new Uint8Array()));
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The capabilities of a log, except whether it is durable, which only its kind declares. */
export function capabilitiesOf(log: Log): Omit<LogCapabilities, "isDurable"> {
  return {
    indexesKeys: indexesKeys(log),
    canErase: canErase(log),
    isShared: isShared(log),
    hasRetention: hasRetention(log),
    canVerify: canVerify(log),
  };
}
