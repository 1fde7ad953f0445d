/**
 * What proposes candidates, and scores those that others propose.
 *
 * A source is a fold over signals, so that the journals of signals bring any copy of it up to date. What it knows is
 * written and read under its name, as are its weights in the blend: a source may come and go, and nothing else changes.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Signal } from "../signals/signal.ts";
import type { SourceParts } from "./parts.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";

/** All items in the order of their ids, which is the same in every process; their indices are not. */
export interface ItemOrder {
  /** Their indices. */
  readonly order: readonly number[];
  /** By index: the place in the order. */
  readonly rank: Uint32Array;
}

/** What learns of signals, and is durable under its name: functions that are called alone. */
export type SignalFold =
  & { readonly name: string }
  & Pick<SourceActs, "learn" | "forget" | "encode" | "decode">
  & {
    /** Is called with `true` before, and `false` after, the journals behind a state that does not have it are learnt. */
    readonly catchUp?: (begins: boolean) => void;
  };

/**
 * What a source does: functions of an object without a class, as they are spread and called alone. Between two calls of
 * `ask`, everything is about the request of the first.
 */
export interface SourceActs {
  /** Begins with a request. Absent: another source of the same kind does. */
  ask?(request: CandidateRequest): void;
  /** The best items, about `limit` of them, in no order: ties at the border are all in, whatever the indices. */
  propose(limit: number, may: (item: number) => boolean): readonly number[];
  /**
   * Puts the scores of items, at least 0, into `into`.
   *
   * @returns The largest; without any, `into` means nothing.
   */
  score(items: readonly number[], into: Float64Array): number;
  /** The list that is the same for everybody, best first, where there is one. */
  list?(): Uint32Array;
  /** Learns a signal. */
  learn?(signal: Signal): void;
  /** Forgets whose signals they were: those of a user, or of everybody. */
  forget?(user: string | null): void;
  /** Writes what was learnt: same signals, same bytes. */
  encode?(to: ByteWriter, items: ItemOrder): void;
  /** Reads what `encode` wrote. @param itemAt The item at a place of the order. */
  decode?(from: ByteReader, itemAt: (rank: number) => number): void;
}

/** A source. */
export interface Source extends SourceActs {
  /** Its name in answers, experiments, metrics and the blend. */
  readonly name: string;
  /** Most items that it proposes; 0: it only scores what others propose. */
  readonly proposals: number;
  /** Its weight in the blend before anything was learnt. */
  readonly weight: number;
  /** Whether its weight is for what the user had already, too, where the others begin with 0. */
  readonly judgesReturns?: true;
}

/** A source as the registry knows it. */
export interface SourceKind extends Omit<Source, keyof SourceActs> {
  /** Makes one that has learnt nothing. */
  create(parts: SourceParts): SourceActs;
}
