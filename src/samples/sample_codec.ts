/**
 * The binary record of a sample on the `samples` topic.
 *
 * ```text
 * record = format u8, strings (dictionary), head, history, state, purpose, late share, rows, exposures, model,
 *          other states, earlier behaviours, next item, preference
 * ```
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import { Dictionary, readDictionary } from "../codec/dictionary.ts";
import { decodePreference, encodePreference, type Preference } from "./preference.ts";
import { creditCode, creditOf } from "../assignment/credit.ts";
import type { Exposure } from "../assignment/exposure.ts";
import { Rows } from "./rows.ts";
import {
  type EarlierBehaviours,
  type ModelState,
  NONE_EARLIER,
  type Sample,
  type SampleHistory,
  type SampleState,
} from "./sample.ts";
import { times } from "../values/times.ts";

/**
 * Each format holds all that the one before it does, and one thing more. A sample is written in the oldest format that
 * can hold it. Formats before 5 were never deployed.
 */
const PLAIN = 5;
const WITH_OTHER_STATES = 6;
const WITH_EARLIER = 7;
const WITH_NEXT = 8;
const WITH_PREFERENCE = 9;
const WITH_PHASES = 10;
export const SAMPLE_FORMATS: Formats = { oldest: PLAIN, newest: WITH_PHASES };

const PURPOSES = ["learn", "judge"] as const;
const NONE = new Float32Array(0);

/** Scratch for the current sample. */
const record = new ByteWriter(4096);
const body = new ByteWriter(4096);
const strings = new Dictionary();

/** Drops strings of encoded samples: some may belong to an erased user. */
export function forgetSampleWords(): void {
  strings.forget();
}

/**
 * Encodes a sample as a record of the `samples` topic. Same sample, same bytes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeSample, encodeSample, Rows, type Sample } from "@meander/meander/core";
 *
 * const sample: Sample = {
 *   request: "r1", user: "ann", time: 1_767_225_600_000, closedTime: 1_767_226_200_000, version: 1, newUser: true,
 *   history: { items: [], categories: [], actions: [], times: new Float64Array(0), strengths: new Float32Array(0) },
 *   userFields: [], contextFields: [],
 *   rows: Rows.of([{ item: "tent", label: 1 }]),
 * };
 * const { request, rows } = decodeSample(encodeSample(sample));
 * assert.equal(request, "r1");
 * assert.equal(rows.label(0), 1);
 * ```
 */
export function encodeSample(sample: Sample): Uint8Array {
  strings.reset();
  record.reset();
  body.reset();
  const format = formatOf(sample);
  const { history, time } = sample;
  writeHead(sample);
  body.uint(history.items.length);
  for (let t = 0; t < history.items.length; t++) {
    writeBehaviour(history, t, time);
    body.f32(history.strengths[t]!);
  }
  const { from = 0, values = NONE } = sample.state ?? {};
  body.uint(values.length).f32s(values).uint(from);
  body.u8(sample.purpose === undefined ? 0 : 1 + PURPOSES.indexOf(sample.purpose)).f64(sample.lateShare ?? 0);
  writeRows(sample.rows);
  writeExposures(sample.exposures ?? [], format);
  writeOptional(sample.model);
  if (format >= WITH_OTHER_STATES) writeOtherStates(sample.otherStates ?? []);
  if (format >= WITH_EARLIER) writeEarlier(history.earlier ?? NONE_EARLIER, time);
  if (format >= WITH_PREFERENCE) writeOptional(sample.next);
  else if (format >= WITH_NEXT) writeString(sample.next!); // what makes it this format
  writePreference(sample.preference, format);
  record.u8(format);
  strings.encode(record);
  return record.bytes(body.view()).toBytes();
}

/** The oldest format that can hold a sample. */
function formatOf({ exposures = [], preference, next, history, otherStates = [] }: Sample): number {
  if (exposures.some(({ phase = 0 }) => phase > 0)) return WITH_PHASES;
  if (preference !== undefined) return WITH_PREFERENCE;
  if (next !== undefined) return WITH_NEXT;
  if ((history.earlier ?? NONE_EARLIER).items.length > 0) return WITH_EARLIER;
  return otherStates.length > 0 ? WITH_OTHER_STATES : PLAIN;
}

function writeHead({ request, user, time, closedTime, version, newUser, ...fields }: Sample): void {
  writeString(request);
  writeString(user);
  body.f64(time).f64(closedTime).uint(version).u8(newUser ? 1 : 0);
  writeFields(fields.userFields);
  writeFields(fields.contextFields);
}

/** Writes a behaviour without its strength. @param time that of the sample */
function writeBehaviour(
  { items, categories, actions, times }: EarlierBehaviours,
  t: number,
  time: number,
): void {
  writeString(items[t]!);
  writeList(categories[t]!);
  writeString(actions[t]!);
  body.int(time - times[t]!);
}

function writeRows(rows: Rows): void {
  const { width, numerics } = rows;
  body.uint(rows.length);
  for (let row = 0; row < rows.length; row++) {
    const { id, categories, fields } = rows.items[row]!;
    writeString(id);
    writeList(categories);
    writeFields(fields);
    body.uint(width).f32s(numerics, row * width, (row + 1) * width).f64(rows.offset(row));
    body.u8(rows.label(row)).uint(rows.position(row)).f64(rows.propensity(row)).f64(rows.prediction(row));
    body.f64(rows.oracle(row)).f64(rows.reward(row)).u8(creditCode(rows.team(row)));
  }
}

function writeExposures(exposures: readonly Exposure[], format: number): void {
  body.uint(exposures.length);
  for (const { experiment, variant, phase = 0 } of exposures) {
    writeString(experiment);
    writeString(variant);
    if (format >= WITH_PHASES) body.uint(phase);
  }
}

function writeOtherStates(states: readonly ModelState[]): void {
  body.uint(states.length);
  for (const { model, from, values } of states) {
    writeString(model);
    body.uint(from).uint(values.length).f32s(values);
  }
}

function writeEarlier(earlier: EarlierBehaviours, time: number): void {
  body.uint(earlier.items.length);
  for (let t = 0; t < earlier.items.length; t++) writeBehaviour(earlier, t, time);
}

function writePreference(preference: Preference | undefined, format: number): void {
  if (format >= WITH_PHASES) body.u8(preference === undefined ? 0 : 1);
  if (preference === undefined) return;
  const { pairs, behaviours, candidates } = preference.names;
  for (const names of [pairs, behaviours, candidates]) writeList(names);
  encodePreference(body, preference);
}

function writeString(value: string): void {
  body.uint(strings.index(value));
}

function writeOptional(value: string | null | undefined): void {
  body.uint(value == null ? 0 : 1 + strings.index(value));
}

function writeList(values: readonly string[]): void {
  body.uint(values.length);
  for (const value of values) writeString(value);
}

function writeFields(values: readonly (string | null)[]): void {
  body.uint(values.length);
  for (const value of values) writeOptional(value);
}

/**
 * Decodes a record of {@linkcode encodeSample}.
 *
 * @throws SyntaxError when the bytes are not such a record.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeSample } from "@meander/meander/core";
 *
 * assert.throws(() => decodeSample(new Uint8Array([255])), SyntaxError);
 * ```
 */
export function decodeSample(bytes: Uint8Array): Sample {
  const record = new ByteReader(bytes);
  const format = record.u8();
  if (format < PLAIN || format > WITH_PHASES) {
    throw new SyntaxError(
      `Cannot decode a sample: format is ${format}, this release reads ${PLAIN} to ${WITH_PHASES}`,
    );
  }
  const strings = readDictionary(record);
  const body = new ByteReader(record.bytes());
  const sample = new SampleReader(body, strings, format).read();
  if (!body.done || !record.done) {
    throw new SyntaxError("Cannot decode a sample: there are bytes after its end");
  }
  return sample;
}

/** Reads the parts of one sample, in the order in which they were written. */
class SampleReader {
  readonly #body: ByteReader;
  readonly #strings: (at: number) => string;
  readonly #format: number;

  constructor(body: ByteReader, strings: (at: number) => string, format: number) {
    this.#body = body;
    this.#strings = strings;
    this.#format = format;
  }

  read(): Sample {
    const head = this.#head();
    const history = this.#history(head.time);
    const state = this.#state();
    const purpose = PURPOSES[this.#body.u8() - 1];
    const lateShare = this.#body.f64();
    const rows = this.#rows();
    const exposures = times(this.#body.count(), () => this.#exposure());
    const model = this.#optional();
    const otherStates = this.#format >= WITH_OTHER_STATES ? this.#otherStates() : [];
    const earlier = this.#format >= WITH_EARLIER ? this.#earlier(head.time) : NONE_EARLIER;
    const next = this.#next();
    const preference = this.#preference();
    return {
      ...head,
      purpose,
      lateShare: lateShare === 0 ? undefined : lateShare,
      model: model ?? undefined,
      exposures: exposures.length === 0 ? undefined : exposures,
      history: earlier.items.length === 0 ? history : { ...history, earlier },
      state,
      otherStates: otherStates.length === 0 ? undefined : otherStates,
      rows,
      next: next ?? undefined,
      preference,
    };
  }

  #head() {
    const body = this.#body;
    return {
      request: this.#string(),
      user: this.#string(),
      time: body.f64(),
      closedTime: body.f64(),
      version: body.uint(),
      newUser: body.u8() === 1,
      userFields: this.#fields(),
      contextFields: this.#fields(),
    };
  }

  #history(time: number): SampleHistory {
    const length = this.#body.count();
    const history = {
      ...noBehaviours(),
      times: new Float64Array(length),
      strengths: new Float32Array(length),
    };
    for (let t = 0; t < length; t++) {
      history.times[t] = time - this.#behaviour(history);
      history.strengths[t] = this.#body.f32();
    }
    return history;
  }

  #earlier(time: number): EarlierBehaviours {
    const length = this.#body.count();
    const earlier = { ...noBehaviours(), times: new Float64Array(length) };
    for (let t = 0; t < length; t++) earlier.times[t] = time - this.#behaviour(earlier);
    return earlier;
  }

  /** Reads a behaviour without its strength. @returns its age at the time of the sample, milliseconds */
  #behaviour({ items, categories, actions }: ReturnType<typeof noBehaviours>): number {
    items.push(this.#string());
    categories.push(this.#list());
    actions.push(this.#string());
    return this.#body.int();
  }

  #state(): SampleState | undefined {
    const values = this.#body.f32s(this.#body.uint());
    const from = this.#body.uint();
    return values.length === 0 ? undefined : { from, values };
  }

  #rows(): Rows {
    const body = this.#body;
    const count = body.count();
    let rows = new Rows(0, 0);
    for (let row = 0; row < count; row++) {
      const item = { index: -1, id: this.#string(), categories: this.#list(), fields: this.#fields() };
      const width = body.uint();
      if (row === 0) rows = this.#roomFor(count, width);
      else if (width !== rows.width) {
        throw cannotDecode(count, `row ${row} has ${width} numeric features, those before it ${rows.width}`);
      }
      body.f32sInto(rows.numerics, row * width, width);
      rows.add(item, body.f64(), NaN);
      rows.answer(row, { label: body.u8() === 1 ? 1 : 0, explicit: false });
      const position = body.uint();
      rows.place(row, position, body.f64());
      rows.predict(row, body.f64());
      rows.setOracle(row, body.f64());
      rows.setReward(row, body.f64());
      const team = creditOf(body.u8());
      if (team !== undefined) rows.draft(row, team);
    }
    return rows;
  }

  /** Room for at most what the record can hold: damaged bytes must not allocate more memory than their own length. */
  #roomFor(count: number, width: number): Rows {
    const { left } = this.#body;
    if (4 * count * width <= left) return new Rows(count, width);
    throw cannotDecode(count, `${left} bytes are left, too few for ${width} numeric features of each`);
  }

  #exposure(): Exposure {
    const exposure = { experiment: this.#string(), variant: this.#string() };
    const phase = this.#format >= WITH_PHASES ? this.#body.uint() : 0;
    return phase === 0 ? exposure : { ...exposure, phase };
  }

  #otherStates(): ModelState[] {
    const body = this.#body;
    return times(body.count(), () => ({
      model: this.#string(),
      from: body.uint(),
      values: body.f32s(body.uint()),
    }));
  }

  #next(): string | null {
    if (this.#format < WITH_NEXT) return null;
    return this.#format >= WITH_PREFERENCE ? this.#optional() : this.#string();
  }

  #preference(): Preference | undefined {
    const isThere = this.#format >= WITH_PHASES ? this.#body.u8() === 1 : this.#format >= WITH_PREFERENCE;
    if (!isThere) return undefined;
    const names = { pairs: this.#list(), behaviours: this.#list(), candidates: this.#list() };
    return decodePreference(this.#body, names);
  }

  #string(): string {
    return this.#strings(this.#body.uint());
  }

  #optional(): string | null {
    const index = this.#body.uint();
    return index === 0 ? null : this.#strings(index - 1);
  }

  #list(): string[] {
    return times(this.#body.count(), () => this.#string());
  }

  #fields(): (string | null)[] {
    return times(this.#body.count(), () => this.#optional());
  }
}

function cannotDecode(rows: number, why: string): SyntaxError {
  return new SyntaxError(`Cannot decode ${rows} rows of a sample: ${why}`);
}

function noBehaviours(): { items: string[]; categories: string[][]; actions: string[] } {
  return { items: [], categories: [], actions: [] };
}
