/**
 * Sources propose candidates, and score those that other sources propose.
 *
 * A source is a fold over signals, so the journals of signals can bring any copy of it up to date. Its state and its
 * weights in the blend are written under its name, so a source may be added or removed without any other change.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Signal } from "../signals/signal.ts";
import type { Portions } from "../../values/portions.ts";
import type { SourceParts } from "./parts.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";

/** All items in the order of their ids, which is the same in every process; their indices are not. */
export interface ItemOrder {
  /** Indices of the items. */
  readonly order: readonly number[];
  /** By index: the place in the order. */
  readonly rank: Uint32Array;
}

/** Counts by item that were learnt. */
export interface Counts {
  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): Portions | void;
  decode(from: ByteReader, itemAt: (rank: number) => number, format: number): Portions | void;
  /** A copy, if they take long to be written. */
  clone?(): Pick<Counts, "encode">;
}

/** What makes counts durable. */
export function durable(counts: Counts): Pick<SourceActs, "encode" | "copy" | "decode"> {
  const encodeOf = (counts: Pick<Counts, "encode">) => (to: ByteWriter, { order, rank }: ItemOrder) =>
    counts.encode(to, order, rank);
  return {
    encode: encodeOf(counts),
    ...(counts.clone !== undefined && { copy: () => encodeOf(counts.clone!()) }),
    decode: (from, itemAt, format) => counts.decode(from, itemAt, format),
  };
}

/** Learns from signals, and is durable under its name. Its functions are called without `this`. */
export type SignalFold =
  & { readonly name: string }
  & Pick<SourceActs, "learn" | "forget" | "encode" | "copy" | "decode">
  & {
    /**
     * Called with `true` before, and `false` after, relearning the journals that follow a state without this source.
     */
    readonly catchUp?: (begins: boolean) => void;
  };

/**
 * The functions of a source, which are spread and called without `this`. Until the next call of `ask`, all others refer
 * to its request.
 */
export interface SourceActs {
  /** Prepares for a request. Absent if another source of the same kind does it. */
  ask?(request: CandidateRequest): void;
  /** The best items, about `limit` of them, in no order; ties at the border are all included, whatever the indices. */
  propose(limit: number, may: (item: number) => boolean): readonly number[];
  /**
   * Puts the scores of items, at least 0, into `into`.
   *
   * @returns The largest; 0 if no item has a score, and then `into` is undefined.
   */
  score(items: readonly number[], into: Float64Array): number;
  /** The list that is the same for everybody, best first, if there is one. */
  list?(): Uint32Array;
  learn?(signal: Signal): void;
  /** Drops the name of a user, or of all users. */
  forget?(user: string | null): void;
  /** Writes what was learnt, in portions unless it is little; the same signals give the same bytes. */
  encode?(to: ByteWriter, items: ItemOrder): Portions | void;
  /**
   * Copies what `encode` writes. Absent if that is so little that it is written at once, while nothing can be answered.
   *
   * @returns Writes the copy as `encode` does, in portions between which more may be learnt
   */
  copy?(): (to: ByteWriter, items: ItemOrder) => Portions | void;
  /**
   * Reads what `encode` wrote, in portions as well.
   *
   * @param itemAt The item at a place of the order
   * @param format That of the snapshot, see `records.ts`
   */
  decode?(from: ByteReader, itemAt: (rank: number) => number, format: number): Portions | void;
}

export interface Source extends SourceActs {
  /** Its name in answers, experiments, metrics and the blend. */
  readonly name: string;
  /** Most items that it proposes if requests have up to 100 candidates; 0 = scores candidates, proposes none. */
  readonly proposals: number;
  readonly weight: number;
  /** Whether its initial weight also applies to items that the user already had; others start at 0 there. */
  readonly judgesReturns?: true;
}

/** A source as it is registered. */
export interface SourceKind extends Omit<Source, keyof SourceActs> {
  /** Creates a source that has learnt nothing. */
  create(parts: SourceParts): SourceActs;
}
