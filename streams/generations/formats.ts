/**
 * The formats of all records that only meander reads: what this release reads, and may write.
 *
 * A new kind, or a larger number, needs a record in `tests/compat`.
 */

import type { Formats } from "../../src/codec/formats.ts";
import { NUMBERS_FORMATS } from "../../src/engine/item_numbers.ts";
import { TASK_FORMATS } from "../../src/engine/task_codec.ts";
import { POOLED_FORMATS } from "../../src/features/pooled/pooled_pairs.ts";
import { ITEM_FORMATS } from "../../src/items/item_codec.ts";
import { GUARD_FORMATS } from "../../src/learner/guard/guard.ts";
import { LEARNER_FORMATS } from "../../src/learner/learner.ts";
import { PROOF_FORMATS } from "../../src/learner/proof.ts";
import { BLEND_FORMATS } from "../../src/retrieval/ordering_state.ts";
import { RETRIEVAL_FORMATS } from "../../src/retrieval/signals/records.ts";
import { JOURNAL_FORMATS } from "../../src/retrieval/signals/signal.ts";
import { SAMPLE_FORMATS } from "../../src/samples/sample_codec.ts";
import { VERSION_FORMATS } from "../../src/serving/version.ts";
import { ERASED_FORMATS } from "../../src/users/erased_users.ts";
import { USER_FORMATS } from "../../src/users/user_codec.ts";
import { FIGURES_FORMATS } from "../experiments/figures.ts";
import { CHECKPOINT_FORMATS } from "../learning/checkpoint_head.ts";
import { ORDER_FORMATS } from "../learning/sample_order.ts";
import type { NewestFormats } from "../topics/format_notes.ts";
import { GENERATION_FORMATS } from "../topics/generations.ts";

/** Formats by kind of record. */
export const FORMATS: Readonly<Record<string, Formats>> = {
  blend: BLEND_FORMATS,
  checkpoint: CHECKPOINT_FORMATS,
  erased: ERASED_FORMATS,
  figures: FIGURES_FORMATS,
  generation: GENERATION_FORMATS,
  guard: GUARD_FORMATS,
  item: ITEM_FORMATS,
  journal: JOURNAL_FORMATS,
  learner: LEARNER_FORMATS,
  numbers: NUMBERS_FORMATS,
  order: ORDER_FORMATS,
  pooled: POOLED_FORMATS,
  proof: PROOF_FORMATS,
  retrieval: RETRIEVAL_FORMATS,
  sample: SAMPLE_FORMATS,
  task: TASK_FORMATS,
  user: USER_FORMATS,
  version: VERSION_FORMATS,
};

export const NEWEST_FORMATS: NewestFormats = Object.fromEntries(
  Object.entries(FORMATS).map(([kind, { newest }]) => [kind, newest]),
);
