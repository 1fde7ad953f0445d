/**
 * The forms in which bytes may hold the id of a user, and where a log has them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Event } from "../../src/events/event.ts";
import type { Log, LogRecord, NewRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { Topics } from "../../streams/topics/topics.ts";
import { shopEvents } from "./deployment.ts";

const TOKEN = "7f3a9c51";
/** An id that JSON escapes, and that is nowhere else. */
export const GONE = `gone"é\\${TOKEN}`;

/** A text with all characters escaped, as JSON may have them. */
const escaped = (text: string) =>
  [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
/** The Base64 of bytes, at any position in what is encoded. */
const base64 = (bytes: Uint8Array) =>
  [0, 1, 2].map((at) => {
    // The first and the last group also have bits of the surrounding bytes.
    const text = Buffer.concat([Buffer.alloc(at), bytes]).toString("base64").replaceAll("=", "");
    return Buffer.from(text.slice(at === 0 ? 0 : 4, -1));
  });

/** The ways in which bytes may hold an id. */
export const FORMS: readonly (readonly [name: string, forms: readonly Uint8Array[]])[] = [
  ["UTF-8", [Buffer.from(TOKEN)]],
  ["UTF-16", [Buffer.from(TOKEN, "utf16le")]],
  ["escaped", [Buffer.from(escaped(TOKEN))]],
  ["Base64", base64(Buffer.from(TOKEN))],
  ["Base64 of UTF-16", base64(Buffer.from(TOKEN, "utf16le"))],
  ["Base64 of escaped", base64(Buffer.from(escaped(TOKEN)))],
];

/** The forms in which bytes hold the id. */
export function formsIn(bytes: Uint8Array): string[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return FORMS.flatMap(([name, forms]) => forms.some((form) => all.includes(form)) ? [name] : []);
}

/** The forms in which a record holds the id: in its key, headers or value. */
export function formsInRecord({ key, value, headers }: LogRecord): string[] {
  const text = Buffer.from(`${key} ${JSON.stringify(headers)}`);
  return [...formsIn(text), ...formsIn(value ?? new Uint8Array(0))];
}

/** The forms in which the records of a log hold the id, by topic. */
export async function formsOn(
  log: Pick<Log, "topics" | "bounds" | "read">,
  prefix?: string,
): Promise<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {};
  for (const [topic, { partitions }] of await log.topics(prefix)) {
    const forms = new Set<string>();
    for (let partition = 0; partition < partitions; partition++) {
      for await (const record of readAll(log, topic, partition)) {
        for (const form of formsInRecord(record)) forms.add(form);
      }
    }
    if (forms.size > 0) found[topic] = [...forms];
  }
  return found;
}

/** The events of a small shop of which one user is {@linkcode GONE}. */
export function shop(views = 200): Event[] {
  return shopEvents(views, 12).map((event) => event.user === "u3" ? { ...event, user: GONE } : event);
}

/** Records of `events` that cannot be read and name {@linkcode GONE}, each in another way. */
export function badRecords({ events: topic }: Topics, time: number): NewRecord[] {
  const bad = (text: string | Uint8Array, key: string | null): NewRecord => ({
    topic,
    partition: 0,
    key,
    value: typeof text === "string" ? new TextEncoder().encode(text) : text,
    time,
  });
  return [
    bad(`{"type":"interaction","user":${JSON.stringify(GONE)},`, "somebody"),
    bad(`{"type":"nonsense","user":"x","item":"${escaped(GONE)}"}`, null),
    bad(Buffer.from(JSON.stringify({ type: "interaction", user: GONE }), "utf16le"), null),
  ];
}
