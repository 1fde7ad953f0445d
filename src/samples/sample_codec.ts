/**
 * The binary record of a sample on the `samples` topic.
 *
 * ```text
 * record = format u8, strings (dictionary), head, history, state, rows
 * ```
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import { Dictionary, readDictionary } from "../codec/dictionary.ts";
import { decodePreference, encodePreference } from "./preference.ts";
import { creditCode, creditOf } from "../assignment/credit.ts";
import type { Exposure } from "../assignment/exposure.ts";
import { Rows } from "./rows.ts";
import { type ModelState, NONE_EARLIER, type Sample } from "./sample.ts";
import { times } from "../values/times.ts";

/**
 * A sample is written in the oldest format that can hold it: phases of experiments require format 10, a preference 9, a
 * next item 8, earlier behaviours 7, states of other models 6. Formats before 5 were never deployed.
 */
const FORMAT = 10;
const WITHOUT_PHASES = 9;
const WITHOUT_PREFERENCE = 8;
const WITHOUT_NEXT = 7;
const WITHOUT_EARLIER = 6;
const WITHOUT_OTHERS = 5;
export const SAMPLE_FORMATS: Formats = { oldest: WITHOUT_OTHERS, newest: FORMAT };

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
 *   ...{ request: "r1", user: "ann", time: 1_767_225_600_000, closedTime: 1_767_226_200_000, version: 1, newUser: true },
 *   history: { items: [], categories: [], actions: [], times: new Float64Array(0), strengths: new Float32Array(0) },
 *   ...{ userFields: [], contextFields: [] },
 *   rows: Rows.of([{ item: "tent", label: 1 }]),
 * };
 * const { request, rows } = decodeSample(encodeSample(sample));
 * assert.equal(request, "r1");
 * assert.equal(rows.label(0), 1);
 * ```
 */
export function encodeSample(sample: Sample): Uint8Array {
  strings.reset();
  const string = (value: string) => strings.index(value);
  record.reset();
  body.reset();
  const list = (values: readonly string[]) => {
    body.uint(values.length);
    for (const value of values) body.uint(string(value));
  };
  const fields = (values: readonly (string | null)[]) => {
    body.uint(values.length);
    for (const value of values) body.uint(value === null ? 0 : 1 + string(value));
  };

  body.uint(string(sample.request)).uint(string(sample.user));
  body.f64(sample.time).f64(sample.closedTime).uint(sample.version).u8(sample.newUser ? 1 : 0);
  fields(sample.userFields);
  fields(sample.contextFields);
  body.uint(sample.history.items.length);
  for (let t = 0; t < sample.history.items.length; t++) {
    body.uint(string(sample.history.items[t]!));
    list(sample.history.categories[t]!);
    body.uint(string(sample.history.actions[t]!)).int(sample.time - sample.history.times[t]!);
    body.f32(sample.history.strengths[t]!);
  }
  const { from = 0, values = NONE } = sample.state ?? {};
  body.uint(values.length).f32s(values).uint(from);
  body.u8(sample.purpose === undefined ? 0 : 1 + PURPOSES.indexOf(sample.purpose)).f64(sample.lateShare ?? 0);
  const { rows } = sample;
  const { width, numerics } = rows;
  body.uint(rows.length);
  for (let row = 0; row < rows.length; row++) {
    const item = rows.items[row]!;
    body.uint(string(item.id));
    list(item.categories);
    fields(item.fields);
    body.uint(width).f32s(numerics, row * width, (row + 1) * width).f64(rows.offset(row));
    body.u8(rows.label(row)).uint(rows.position(row)).f64(rows.propensity(row)).f64(rows.prediction(row));
    body.f64(rows.oracle(row)).f64(rows.reward(row)).u8(creditCode(rows.team(row)));
  }
  const exposures = sample.exposures ?? [];
  body.uint(exposures.length);
  const hasPhases = exposures.some(({ phase = 0 }) => phase > 0);
  for (const { experiment, variant, phase = 0 } of exposures) {
    body.uint(string(experiment)).uint(string(variant));
    if (hasPhases) body.uint(phase);
  }
  body.uint(sample.model === undefined ? 0 : 1 + string(sample.model));

  const others = sample.otherStates ?? [];
  const { earlier = NONE_EARLIER } = sample.history;
  const { preference } = sample;
  const hasEarlier = earlier.items.length > 0;
  const hasNext = hasPhases || sample.next !== undefined || preference !== undefined;
  if (others.length > 0 || hasEarlier || hasNext) body.uint(others.length);
  for (const { model, from, values } of others) {
    body.uint(string(model)).uint(from).uint(values.length).f32s(values);
  }
  if (hasEarlier || hasNext) body.uint(earlier.items.length);
  for (let t = 0; t < earlier.items.length; t++) {
    body.uint(string(earlier.items[t]!));
    list(earlier.categories[t]!);
    body.uint(string(earlier.actions[t]!)).int(sample.time - earlier.times[t]!);
  }

  const hasChoice = hasPhases || preference !== undefined;
  if (hasChoice) body.uint(sample.next === undefined ? 0 : 1 + string(sample.next));
  else if (sample.next !== undefined) body.uint(string(sample.next));
  if (hasPhases) body.u8(preference === undefined ? 0 : 1);
  if (preference !== undefined) {
    const { pairs, behaviours, candidates } = preference.names;
    for (const names of [pairs, behaviours, candidates]) list(names);
    encodePreference(body, preference);
  }

  const newest = hasPhases ? FORMAT : hasChoice ? WITHOUT_PHASES : WITHOUT_PREFERENCE;
  const format = hasEarlier ? WITHOUT_NEXT : others.length === 0 ? WITHOUT_OTHERS : WITHOUT_EARLIER;
  record.u8(hasNext ? newest : format);
  strings.encode(record);
  return record.bytes(body.view()).toBytes();
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
  if (format < WITHOUT_OTHERS || format > FORMAT) {
    throw new SyntaxError(
      `Cannot decode a sample: format is ${format}, this reads ${WITHOUT_OTHERS} to ${FORMAT}`,
    );
  }
  const at = readDictionary(record);
  const body = new ByteReader(record.bytes());
  const string = () => at(body.uint());
  const list = () => times(body.count(), string);
  const fields = () =>
    times(body.count(), () => {
      const index = body.uint();
      return index === 0 ? null : at(index - 1);
    });

  const request = string();
  const user = string();
  const time = body.f64();
  const closedTime = body.f64();
  const version = body.uint();
  const newUser = body.u8() === 1;
  const userFields = fields();
  const contextFields = fields();
  const T = body.count();
  const history = {
    ...noBehaviours(),
    times: new Float64Array(T),
    strengths: new Float32Array(T),
  };
  for (let t = 0; t < T; t++) {
    history.items.push(string());
    history.categories.push(list());
    history.actions.push(string());
    history.times[t] = time - body.int();
    history.strengths[t] = body.f32();
  }
  const values = body.f32s(body.uint());
  const from = body.uint();
  const purpose = PURPOSES[body.u8() - 1];
  const lateShare = body.f64();
  const rows = readRows(body, { string, list, fields });
  const exposures: Exposure[] = [];
  for (let n = body.count(); n > 0; n--) {
    const exposure = { experiment: string(), variant: string() };
    const phase = format > WITHOUT_PHASES ? body.uint() : 0;
    exposures.push(phase === 0 ? exposure : { ...exposure, phase });
  }
  const model = body.uint();
  const otherStates: ModelState[] = [];
  for (let n = format > WITHOUT_OTHERS ? body.count() : 0; n > 0; n--) {
    otherStates.push({ model: string(), from: body.uint(), values: body.f32s(body.uint()) });
  }
  const earlier = {
    ...noBehaviours(),
    times: new Float64Array(format > WITHOUT_EARLIER ? body.count() : 0),
  };
  for (let t = 0; t < earlier.times.length; t++) {
    earlier.items.push(string());
    earlier.categories.push(list());
    earlier.actions.push(string());
    earlier.times[t] = time - body.int();
  }
  const word = format > WITHOUT_NEXT ? body.uint() + (format > WITHOUT_PREFERENCE ? 0 : 1) : 0;
  const hasPreference = format > WITHOUT_PHASES ? body.u8() === 1 : format > WITHOUT_PREFERENCE;
  const names = hasPreference ? { pairs: list(), behaviours: list(), candidates: list() } : null;
  const preference = names === null ? undefined : decodePreference(body, names);
  if (!body.done || !record.done) {
    throw new SyntaxError("Cannot decode a sample: there are bytes after its end");
  }
  return {
    request,
    user,
    time,
    closedTime,
    version,
    newUser,
    purpose,
    lateShare: lateShare === 0 ? undefined : lateShare,
    model: model === 0 ? undefined : at(model - 1),
    exposures: exposures.length === 0 ? undefined : exposures,
    history: earlier.items.length === 0 ? history : { ...history, earlier },
    state: values.length === 0 ? undefined : { from, values },
    otherStates: otherStates.length === 0 ? undefined : otherStates,
    userFields,
    contextFields,
    rows,
    next: word === 0 ? undefined : at(word - 1),
    preference,
  };
}

/** Functions that read the parts of a record. */
interface Readers {
  readonly string: () => string;
  readonly list: () => string[];
  readonly fields: () => (string | null)[];
}

function readRows(body: ByteReader, { string, list, fields }: Readers): Rows {
  const count = body.count();
  let rows = new Rows(0, 0);
  for (let row = 0; row < count; row++) {
    const item = { index: -1, id: string(), categories: list(), fields: fields() };
    const width = body.uint();
    if (row === 0) {
      // At most what the record can hold: damaged bytes must not allocate more memory than their own length.
      if (4 * count * width > body.left) {
        throw cannotDecode(
          count,
          `${body.left} bytes are left, too few for ${width} numeric features of each`,
        );
      }
      rows = new Rows(count, width);
    } else if (width !== rows.width) {
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

function cannotDecode(rows: number, why: string): SyntaxError {
  return new SyntaxError(`Cannot decode ${rows} rows of a sample: ${why}`);
}

function noBehaviours(): { items: string[]; categories: string[][]; actions: string[] } {
  return { items: [], categories: [], actions: [] };
}
