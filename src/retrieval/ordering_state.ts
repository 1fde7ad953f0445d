/**
 * How candidates are ordered, as learnt from what users took: the weights of blend and stack, and whether people return
 * to items. All of it depends on proposed candidates, not on signals alone, so each part is a record of its own, which
 * is written whenever it has changed.
 */

import type { Formats } from "../codec/formats.ts";
import type { Blend } from "./blend.ts";
import type { Features } from "./features.ts";
import {
  decodeRecord,
  encodeRecord,
  RETRIEVAL_FORMATS,
  RETRIEVAL_KEY,
  type RetrievalRecord,
} from "./signals/records.ts";
import type { Returns } from "./signals/returns.ts";
import { type ScoresByPart, Stack } from "./stack/stack.ts";

/** Format 1 of the blend has no curvature. */
const WITHOUT_CURVATURE = 1;
export const BLEND_FORMATS: Formats = { oldest: WITHOUT_CURVATURE, newest: 2 };

const BLEND_KEY = `${RETRIEVAL_KEY}blend`;
/** The blend before the first request for candidates. */
const EARLY_KEY = `${RETRIEVAL_KEY}early`;
const STACK_KEY = `${RETRIEVAL_KEY}mixture`;
const RETURNS_KEY = `${RETRIEVAL_KEY}returns`;

/** The blend, the stack and the share of returns. */
export class OrderingState {
  /** Weights the sources' scores and the properties of candidates. */
  readonly blend: Blend;
  /** Orders lists under `ranking: "auto"`. */
  readonly stack: Stack = new Stack();
  readonly #returns: Returns;
  #hasRequests = false;
  #hasStackRequests = false;
  /** Whether the log has a record of the blend from before the first request. */
  #isEarlyKept = false;
  #blendChanged = false;
  #stackChanged = false;
  #returnsChanged = false;

  /** Wraps parts that have learnt nothing. @param returns Whether people return to items */
  constructor(blend: Blend, returns: Returns) {
    this.blend = blend;
    this.#returns = returns;
  }

  /** Whether candidates have ever been requested. Until then the blend, the most expensive part, learns little. */
  get hasRequests(): boolean {
    return this.#hasRequests;
  }

  /** Records that candidates were requested. */
  noteRequest(): void {
    if (this.#hasRequests) return;
    this.#hasRequests = true;
    this.#blendChanged = true;
  }

  /** Whether the stack has ever ordered a list. Until then it learns nothing. */
  get hasStackRequests(): boolean {
    return this.#hasStackRequests;
  }

  /** Records that the stack orders a list. */
  noteStackRequest(): void {
    if (this.#hasStackRequests) return;
    this.#hasStackRequests = true;
    this.#stackChanged = true;
  }

  learnBlend(features: Features, taken: number): void {
    this.blend.learn(features, taken);
    this.#blendChanged = true;
  }

  learnStack(scores: ScoresByPart, taken: number, user: number, modelShare?: number): void {
    this.stack.learn(scores, taken, user, modelShare);
    this.#stackChanged = true;
  }

  /** Learns whether people return to items. @param before Number of the user's earlier behaviours */
  learnReturn(isReturn: boolean, before: number): void {
    this.#returns.learn(isReturn, before);
    this.#returnsChanged = true;
  }

  /** The records of what has changed since the last call. */
  changes(): RetrievalRecord[] {
    const records: RetrievalRecord[] = [];
    if (this.#blendChanged) {
      const key = this.#hasRequests ? BLEND_KEY : EARLY_KEY;
      records.push(encodeRecord(key, BLEND_FORMATS, (to) => this.blend.encode(to)));
      if (this.#hasRequests && this.#isEarlyKept) records.push({ key: EARLY_KEY, value: new Uint8Array() });
      this.#isEarlyKept = !this.#hasRequests;
    }
    if (this.#stackChanged) {
      records.push(encodeRecord(STACK_KEY, RETRIEVAL_FORMATS, (to) => this.stack.encode(to)));
    }
    if (this.#returnsChanged) {
      records.push(encodeRecord(RETURNS_KEY, RETRIEVAL_FORMATS, (to) => this.#returns.encode(to)));
    }
    this.#blendChanged = this.#stackChanged = this.#returnsChanged = false;
    return records;
  }

  /** Takes over the newest records by key. @throws SyntaxError when they are not such records */
  restore(records: ReadonlyMap<string, Uint8Array>): void {
    const early = records.get(EARLY_KEY);
    if (early !== undefined) this.#isEarlyKept = early.length > 0;
    decodeRecord(records, { key: EARLY_KEY, formats: BLEND_FORMATS }, (from) => this.blend.decode(from));
    decodeRecord(records, { key: BLEND_KEY, formats: BLEND_FORMATS }, (from, format) => {
      if (format === WITHOUT_CURVATURE) this.blend.decodeWithoutCurvature(from);
      else this.blend.decode(from);
      this.#hasRequests = true;
    });
    decodeRecord(records, { key: STACK_KEY, formats: RETRIEVAL_FORMATS }, (from) => {
      this.stack.decode(from);
      this.#hasStackRequests = true;
    });
    decodeRecord(records, { key: RETURNS_KEY, formats: RETRIEVAL_FORMATS }, (from) => {
      this.#returns.decode(from);
    });
  }
}
