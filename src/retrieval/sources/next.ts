/**
 * Items that come after the newest behaviours, as predicted by the bank of the served version (`bank/ema_bank.ts`).
 *
 * It learns nothing here: its weights arrive with versions. Scores are probabilities up to a factor, so that the blend,
 * which takes logarithms, sees what the bank was trained for.
 */

import type { ServedBank } from "../../bank/served_bank.ts";
import { BANK_BEHAVIOURS } from "../../bank/bank_tables.ts";
import { grown } from "../../values/grown.ts";
import type { SourceParts } from "./parts.ts";
import type { SourceKind } from "./source.ts";

/** Items searched per requested item, since some may not be recommended; multiplied by it if too few are found. */
const SEARCHED = 2;

/** Proposes items that the bank predicts. */
export const NEXT: SourceKind = {
  name: "next",
  proposals: 100,
  weight: 0,
  create: ({ catalogue, bank: served }) => {
    /** By item index: its row in the bank, 0 = none or not looked up; valid for `moves` of the bank. */
    let rows = new Uint32Array(64);
    let moves = -1;
    let known: ServedBank | null = null;
    let bank: ServedBank | null = null;
    const rowOf = (index: number, of: ServedBank): number => {
      if (index >= rows.length) rows = grown(rows, new Uint32Array(2 * index));
      return rows[index] ||= of.rowOf(catalogue.at(index).id);
    };
    return {
      ask: ({ context, time }) => {
        bank = served();
        if (bank === null || bank.size === 0) {
          bank = null;
          return;
        }
        if (bank !== known || bank.moves !== moves) {
          rows.fill(0);
          [known, moves] = [bank, bank.moves];
        }
        const items: string[] = [];
        for (let x = 0; x < Math.min(BANK_BEHAVIOURS, context.size); x++) {
          items.push(catalogue.at(context.items[x]!).id);
        }
        const gapMs = context.size === 0 ? 0 : Math.max(0, time - context.times[0]!);
        bank.ask({ items, strengths: context.strengths, gapMs });
      },
      propose: (limit, may) => bank === null ? [] : nearestOf(bank, catalogue, limit, may),
      score: (items, into) => {
        if (bank === null) return 0;
        let highest = -Infinity;
        for (let c = 0; c < items.length; c++) {
          const row = rowOf(items[c]!, bank);
          into[c] = row === 0 ? -Infinity : bank.score(row);
          highest = Math.max(highest, into[c]!);
        }
        if (highest === -Infinity) return 0;
        for (let c = 0; c < items.length; c++) into[c] = Math.exp(into[c]! - highest);
        return 1;
      },
    };
  },
};

/** Items that the bank predicts, of those that may be proposed. */
function nearestOf(
  bank: ServedBank,
  catalogue: SourceParts["catalogue"],
  limit: number,
  may: (item: number) => boolean,
): readonly number[] {
  const found: { index: number; score: number }[] = [];
  for (let searched = SEARCHED * limit, seen = 0;; searched *= SEARCHED) {
    const nearest = bank.nearest(searched);
    found.length = 0;
    for (let k = 0; k < nearest.size; k++) {
      const item = catalogue.get(bank.itemOf(nearest.placeAt(k)));
      if (item !== undefined && may(item.index)) found.push({ index: item.index, score: nearest.scoreAt(k) });
    }
    // If a user already had most of the similar items, perhaps none of the first ones is allowed.
    if (found.length >= limit || nearest.size <= seen) break;
    seen = nearest.size;
  }
  found.sort((a, b) => b.score - a.score || catalogue.compare(a.index, b.index));
  return found.slice(0, limit).map(({ index }) => index);
}
