/** Encodes the names of the values of preferences. */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { PairNames } from "../nn/models/pair_head/pair_list.ts";
import { times } from "../values/times.ts";

export function encodeNames(to: ByteWriter, { pairs, behaviours, candidates }: PairNames): void {
  for (const names of [pairs, behaviours, candidates]) {
    to.uint(names.length);
    for (const name of names) to.string(name);
  }
}

export function decodeNames(from: ByteReader): PairNames {
  const list = () => times(from.count(), () => from.string());
  return { pairs: list(), behaviours: list(), candidates: list() };
}
