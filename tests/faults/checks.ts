/**
 * Whether what a deployment keeps agrees with what people did and were told.
 *
 * @module
 */

import { decodeSample } from "../../src/samples/sample_codec.ts";
import type { Sample } from "../../src/samples/sample.ts";
import type { Log } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { Topics } from "../../streams/topics/topics.ts";
import type { Ledger } from "./ledger.ts";

/** What the checks need. */
export interface CheckOptions {
  readonly topics: Topics;
  readonly partitions: number;
  /** How long a click counts, milliseconds. */
  readonly windowMs: number;
  /** Receives a sentence about what is wrong. */
  readonly report: (problem: string) => void;
  /** Counts something. */
  readonly count: (name: string, n: number) => void;
}

/** A click this close to the end of its list's window may be on either side of it: servers have their own clocks. */
const MARGIN_MS = 2000;

/** Checks the lists and clicks of people. */
export async function checkPeople(ledger: Ledger, log: Log, options: CheckOptions): Promise<void> {
  const { topics, partitions, windowMs, report, count } = options;
  const samples = new Map<string, Sample>();
  for (let p = 0; p < partitions; p++) {
    for await (const { value } of readAll(log, topics.samples, p)) {
      if (value === null) continue;
      const sample = decodeSample(value);
      if (sample.rows.length > 0) samples.set(sample.request, sample);
    }
  }
  const answered = new Set<string>();
  for (let p = 0; p < partitions; p++) {
    for await (const { value } of readAll(log, topics.recommendations, p)) {
      if (value !== null) answered.add(JSON.parse(new TextDecoder().decode(value)).request);
    }
  }
  const lost = { lists: 0, labels: 0, answers: 0 };
  let [lists, clicks] = [0, 0];
  let first = "";
  const asked = new Map(ledger.asked.map((one) => [one.id, one]));
  for (const { id, user, items, acknowledgedAt } of ledger.asked) {
    if (acknowledgedAt !== undefined && !answered.has(id)) lost.answers++;
    if (items === undefined || items.length === 0 || isOut(ledger, user)) continue;
    lists++;
    if (!samples.has(id)) {
      lost.lists++;
      first ||= `list ${id} of ${user} has no sample`;
    }
  }
  for (const { user, request, item, id, at, acknowledgedAt } of ledger.clicked) {
    const list = asked.get(request);
    if (acknowledgedAt === undefined || list?.time === undefined || isOut(ledger, user)) continue;
    if (acknowledgedAt - list.time > windowMs - MARGIN_MS) continue;
    clicks++;
    const sample = samples.get(request);
    const row = [...sample?.rows ?? []].find((row) => row.item === item);
    if (row === undefined || row.label === 1) continue;
    lost.labels++;
    first ||=
      `${id} on ${item}, ${
        ((at - list.time) / 1000).toFixed(1)
      } s after list ${request} of ${user}, which was ` +
      `settled ${
        (((sample?.closedTime ?? NaN) - (sample?.time ?? NaN)) / 1000).toFixed(0)
      } s after it by its own clock`;
  }
  count("lists of people", lists);
  count("clicks of people in time", clicks);
  // Without lists and clicks nothing is checked.
  if (lists === 0 || clicks === 0) {
    report(`people were given ${lists} lists and clicked ${clicks} times in time`);
  }
  if (lost.answers > 0) report(`${lost.answers} lists that people were given are not on the log`);
  if (lost.lists > 0) report(`${lost.lists} of ${lists} lists of people were never settled: ${first}`);
  if (lost.labels > 0) {
    report(`${lost.labels} of ${clicks} clicks came in time and count as none, such as ${first}`);
  }
}

/** Whether a user's lists may be gone, or have other times. */
function isOut(ledger: Ledger, user: string): boolean {
  return ledger.forgotten.has(user) || ledger.skewed.has(user);
}
