/** Open impressions within a user's record. */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Exposure } from "../../assignment/exposure.ts";
import { readHistory, writeHistory } from "./history_codec.ts";
import { isShown, type Pending, type PendingState } from "./pending.ts";
import type { Read, Written } from "./impression_context.ts";
import { readRows, writeRows } from "./pending_rows_codec.ts";
import type { StoredState } from "../states/stored_state.ts";

const FLAG = { shown: 1, settled: 2, recommended: 4, phased: 8 } as const;

/** Whether an impression belongs to an experiment that was restarted, so that its record has phases. */
export function hasPhase({ exposures = [] }: Pick<Pending, "exposures">): boolean {
  return exposures.some(({ phase = 0 }) => phase > 0);
}

export function writePending(to: ByteWriter, pending: Pending, written: Written): void {
  const { strings, lists, states } = written;
  const isPhased = hasPhase(pending);
  const flags = (isShown(pending) ? FLAG.shown : 0) + (pending.stage === "settled" ? FLAG.settled : 0) +
    (pending.recommended ? FLAG.recommended : 0) + (isPhased ? FLAG.phased : 0);
  to.string(pending.request).u8(flags).f64(pending.time).f64(pending.deadline);
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
  for (const { experiment, variant, phase = 0 } of exposures) {
    to.uint(strings.index(experiment)).uint(strings.index(variant));
    if (isPhased) to.uint(phase);
  }
  to.uint(pending.model === undefined ? 0 : 1 + strings.index(pending.model));
  const others = pending.otherStates ?? [];
  to.uint(others.length);
  for (const { model, from, stored } of others) {
    to.uint(strings.index(model)).uint(1 + stateOf(stored)).uint(from);
  }
}

export function readPending(from: ByteReader, read: Read): Pending {
  const { strings, lists, states } = read;
  const stateAt = (at: number) => {
    const stored = states[at - 1];
    if (stored == null) {
      throw new SyntaxError(`Cannot decode state ${at} of a pending impression: there is none`);
    }
    return stored;
  };
  const request = from.string();
  const flags = from.u8();
  const head = {
    time: from.f64(),
    deadline: from.f64(),
    sequence: from.uint(),
    version: from.uint(),
    newUser: from.u8() === 1,
    userFields: lists(from.uint()),
    contextFields: lists(from.uint()),
  };
  const history = readHistory(from, head.time, read);
  const at = from.uint();
  const state = at === 0 ? undefined : { stored: stateAt(at), from: from.uint() };
  const rows = readRows(from, read);
  const exposures: Exposure[] = [];
  for (let n = from.count(); n > 0; n--) {
    const exposure = { experiment: strings(from.uint()), variant: strings(from.uint()) };
    const phase = (flags & FLAG.phased) === 0 ? 0 : from.uint();
    exposures.push(phase === 0 ? exposure : { ...exposure, phase });
  }
  const model = from.uint();
  const otherStates: (PendingState & { readonly model: string })[] = [];
  for (let n = from.count(); n > 0; n--) {
    otherStates.push({ model: strings(from.uint()), stored: stateAt(from.uint()), from: from.uint() });
  }
  return {
    request,
    stage: flags & FLAG.settled ? "settled" : flags & FLAG.shown ? "open" : "unconfirmed",
    recommended: (flags & FLAG.recommended) !== 0,
    ...head,
    history,
    state,
    rows,
    exposures: exposures.length === 0 ? undefined : exposures,
    model: model === 0 ? undefined : strings(model - 1),
    otherStates: otherStates.length === 0 ? undefined : otherStates,
  };
}
