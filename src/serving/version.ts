/**
 * A parameter version as it travels on the `parameters` topic.
 *
 * ```text
 * record = format u8, kind u8 (0 delta, 1 full), version, predecessor, step, data time f64,
 *          dense weights, head weights, standardisation, 17 unused bytes, twice the share u8, parts (name, weights)...,
 *          tables (name, bytes)..., order (names, scales, weights) if there is one, crc32 of all before
 * ```
 *
 * A delta holds the embedding rows that changed since its predecessor and all dense weights; a full snapshot
 * holds every row. A subscriber at version v applies a delta whose predecessor is v, and else goes back to the
 * last full snapshot.
 */

import { crc32 } from "node:zlib";
import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import type { Standardisation } from "../features/standardisation.ts";
import { rejectFormerLink } from "./former_link.ts";
import type { LearntOrder } from "../nn/models/pair_head/learnt_order.ts";
import { decodeNames, encodeNames } from "../samples/pair_names.ts";

/** Each version is written in the oldest format that holds it: format 3 has neither parts nor an order, format 4 no order. */
const FORMAT = 5;
const WITHOUT_ORDER = 4;
const WITHOUT_PARTS = 3;
export const VERSION_FORMATS: Formats = { oldest: WITHOUT_PARTS, newest: FORMAT };

/** A published version. */
export interface ParameterVersion {
  /** `delta`: changes its predecessor; `full`: is complete by itself. */
  readonly kind: "delta" | "full";
  /** Its number; the first is 1. */
  readonly version: number;
  /** Version that a delta applies to; for a full snapshot, the one before it. */
  readonly predecessor: number;
  /** Number of batches learnt. */
  readonly step: number;
  /** Event time of the newest sample learnt, milliseconds since the epoch. */
  readonly dataTime: number;
  /** All dense weights of the model. */
  readonly dense: Float32Array;
  /** All dense weights of the wide part. */
  readonly head: Float32Array;
  /** The frozen standardisation of the numeric features. */
  readonly standardisation: Standardisation;
  /** The model's share in ordering lists: 0, ½ or 1, see `proof.ts`. @default {1} */
  readonly share?: number | undefined;
  /** Dense weights of the parts that are learnt alongside the model, by name. @default {none} */
  readonly parts?: ReadonlyMap<string, Float32Array> | undefined;
  /** The order of retrieved candidates that was learnt from behaviours alone; absent if there is none. */
  readonly order?: LearntOrder | undefined;
  /** Encoded rows by table: the changed ones or all, depending on `kind`. */
  readonly tables: ReadonlyMap<string, Uint8Array>;
}

/** Buffers that are reused for deltas, which are many and small. */
const KEPT = [new ByteWriter(1 << 16), new ByteWriter(1 << 16)] as const;

/**
 * Encodes a version, with a checksum.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, DEFAULT_SCHEMA, decodeVersion, encodeVersion, Learner, modelSizes, mulberry32 } from "@meander/meander/core";
 *
 * const schema = DEFAULT_SCHEMA, width = 8;
 * const newModel = () => createModel("base", modelSizes(schema, width), {}, mulberry32(1));
 * const learner = new Learner(newModel(), { schema, embeddingWidth: width });
 * const bytes = encodeVersion(learner.version("full", 1, 0));
 * assert.equal(decodeVersion(bytes).version, 1);
 * ```
 */
export function encodeVersion(version: ParameterVersion): Uint8Array {
  const { share = 1 } = version;
  const [body, record] = version.kind === "delta" ? KEPT : [new ByteWriter(1 << 16), new ByteWriter(1 << 16)];
  body.reset();
  const { order, parts } = version;
  const format = order !== undefined ? FORMAT : parts !== undefined ? WITHOUT_ORDER : WITHOUT_PARTS;
  body.u8(format).u8(version.kind === "full" ? 1 : 0)
    .uint(version.version).uint(version.predecessor).uint(version.step).f64(version.dataTime)
    .uint(version.dense.length).f32s(version.dense)
    .uint(version.head.length).f32s(version.head)
    .uint(version.standardisation.mean.length)
    .f32s(version.standardisation.mean).f32s(version.standardisation.inverseDeviation)
    .u8(0).f64(1).f64(0)
    .u8(2 * share);
  if (format > WITHOUT_PARTS) body.uint(parts?.size ?? 0);
  for (const [name, weights] of parts ?? []) body.string(name).uint(weights.length).f32s(weights);
  body.uint(version.tables.size);
  for (const [name, bytes] of version.tables) body.string(name).bytes(bytes);
  if (order !== undefined) encodeOrder(body, order);
  record.reset();
  return record.bytes(body.view()).uint(crc32(body.view())).toBytes();
}

/**
 * The number of the version in a record of {@linkcode encodeVersion}, read without decoding or checking the rest.
 *
 * @throws SyntaxError or RangeError when it is not such a record.
 */
export function versionNumber(bytes: Uint8Array): number {
  const from = new ByteReader(new ByteReader(bytes).bytes());
  checkFormat(from.u8());
  from.u8();
  return from.uint();
}

/**
 * Decodes a record of {@linkcode encodeVersion}.
 *
 * @throws SyntaxError when the checksum or the format is wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeVersion } from "@meander/meander/core";
 *
 * assert.throws(() => decodeVersion(new Uint8Array(100)), SyntaxError);
 * ```
 */
export function decodeVersion(bytes: Uint8Array): ParameterVersion {
  const outer = new ByteReader(bytes);
  const inner = outer.bytes();
  const [want, got] = [outer.uint(), crc32(inner)];
  if (want !== got || !outer.done) {
    throw new SyntaxError(`Cannot decode a parameter version: its checksum is ${got}, it says ${want}`);
  }
  const from = new ByteReader(inner);
  const format = checkFormat(from.u8());
  const kind = from.u8() === 1 ? "full" : "delta";
  const head = {
    kind,
    version: from.uint(),
    predecessor: from.uint(),
    step: from.uint(),
    dataTime: from.f64(),
    dense: from.f32s(from.uint()),
    head: from.f32s(from.uint()),
  } as const;
  const n = from.uint();
  const standardisation = { mean: from.f32s(n), inverseDeviation: from.f32s(n) };
  rejectFormerLink("a parameter version", from.u8() === 1, from.f64(), from.f64());
  const share = from.u8() / 2;
  const parts = new Map<string, Float32Array>();
  for (let count = format > WITHOUT_PARTS ? from.count() : 0; count > 0; count--) {
    parts.set(from.string(), from.f32s(from.uint()));
  }
  const tables = new Map<string, Uint8Array>();
  for (let count = from.count(); count > 0; count--) tables.set(from.string(), from.bytes());
  const order = format > WITHOUT_ORDER ? decodeOrder(from) : undefined;
  return {
    ...head,
    standardisation,
    share,
    order,
    tables,
    parts: parts.size === 0 ? undefined : parts,
  };
}

function encodeOrder(to: ByteWriter, { names, scales, weights }: LearntOrder): void {
  encodeNames(to, names);
  for (const { mean, inverseDeviation } of [scales.pairs, scales.candidates]) {
    to.uint(mean.length).f32s(mean).f32s(inverseDeviation);
  }
  to.uint(weights.length).f32s(weights);
}

function decodeOrder(from: ByteReader): LearntOrder {
  const names = decodeNames(from);
  const scale = () => {
    const size = from.uint();
    return { mean: from.f32s(size), inverseDeviation: from.f32s(size) };
  };
  return { names, scales: { pairs: scale(), candidates: scale() }, weights: from.f32s(from.uint()) };
}

function checkFormat(format: number): number {
  if (format >= WITHOUT_PARTS && format <= FORMAT) return format;
  throw new SyntaxError(
    `Cannot decode a parameter version: format is ${format}, this release reads ${WITHOUT_PARTS} to ${FORMAT}`,
  );
}
