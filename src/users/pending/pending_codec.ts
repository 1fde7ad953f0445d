/**
 * Open impressions within a user's record.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Exposure } from "../../assignment/exposure.ts";
import { readEarlier, readHistory, writeHistory, WRITTEN_OUT } from "./history_codec.ts";
import type { Pending, PendingState } from "./pending.ts";
import type { Read, Written } from "./impression_context.ts";
import { readRows, writeRows } from "./pending_rows_codec.ts";
import type { StoredState } from "../states/stored_state.ts";

/** Formats of users' records up to this one have no states of other models. */
export const WITHOUT_OTHERS = 7;
/** Those up to this one have no behaviours that models do not read any more. */
const WITHOUT_EARLIER = 9;

/** Writes an impression. */
export function writePending(to: ByteWriter, pending: Pending, written: Written): void {
  const { strings, lists, states } = written;
  to.string(pending.request).u8((pending.shown ? 1 : 0) + (pending.settled ? 2 : 0)).f64(pending.time).f64(
    pending.deadline,
  );
  to.uint(pending.sequence).uint(pending.version).u8(pending.newUser ? 1 : 0);
  to.uint(lists.index(pending.userFields)).uint(lists.index(pending.contextFields));
  writeHistory(to, pending, written);
  const stateOf = (stored: StoredState) => {
    const known = states.indexOf(stored);
    return known >= 0 ? known : states.push(stored) - 1;
  };
  if (pending.state === undefined) to.uint(0);
  else to.uint(1 + stateOf(pending.state.stored)).uint(pending.state.from);
  writeRows(to, pending.rows, written);
  const exposures = pending.exposures ?? [];
  to.uint(exposures.length);
  for (const { experiment, variant } of exposures) {
    to.uint(strings.index(experiment)).uint(strings.index(variant));
  }
  to.uint(pending.model === undefined ? 0 : 1 + strings.index(pending.model));
  const others = pending.otherStates ?? [];
  to.uint(others.length);
  for (const { model, from, stored } of others) {
    to.uint(strings.index(model)).uint(1 + stateOf(stored)).uint(from);
  }
}

/** Reads an impression. */
export function readPending(from: ByteReader, read: Read): Pending {
  const { format, strings, lists, states } = read;
  const list = () => lists(from.uint());
  const head = {
    request: from.string(),
    ...flags(from.u8()),
    time: from.f64(),
    deadline: from.f64(),
    sequence: from.uint(),
    version: from.uint(),
    newUser: from.u8() === 1,
    userFields: list(),
    contextFields: list(),
  };
  const history = readHistory(from, head.time, read);
  const stateAt = (at: number) => {
    const stored = states?.[at - 1];
    if (at > 0 && stored == null) {
      throw new SyntaxError(`Cannot decode state ${at} of a pending impression: there is none`);
    }
    return stored;
  };
  const stored = states === null ? null : stateAt(from.uint());
  const state = stored == null ? {} : { state: { from: from.uint(), stored } };
  const rows = readRows(from, read);
  const exposures: Exposure[] = [];
  for (let n = format > 1 ? from.count() : 0; n > 0; n--) {
    exposures.push({ experiment: strings(from.uint()), variant: strings(from.uint()) });
  }
  const model = format > 4 ? from.uint() : 0;
  const otherStates: (PendingState & { readonly model: string })[] = [];
  for (let n = format > WITHOUT_OTHERS ? from.count() : 0; n > 0; n--) {
    const name = strings(from.uint());
    const stored = stateAt(from.uint());
    const end = from.uint();
    if (stored != null) otherStates.push({ model: name, from: end, stored });
  }
  const earlier = format > WITHOUT_EARLIER && format <= WRITTEN_OUT ? readEarlier(from, head.time, read) : {};
  return {
    ...head,
    history: { ...history, ...earlier },
    ...state,
    rows,
    ...(exposures.length === 0 ? {} : { exposures }),
    ...(model === 0 ? {} : { model: strings(model - 1) }),
    ...(otherStates.length === 0 ? {} : { otherStates }),
  };
}

function flags(bits: number): { readonly shown: boolean; readonly settled?: boolean } {
  return { shown: (bits & 1) !== 0, ...((bits & 2) === 0 ? {} : { settled: true }) };
}
