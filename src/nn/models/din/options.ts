/** Options of DIN. */

import type { AttentionNorm } from "../../layers/attention.ts";
import { choice, flag, type OptionsOf, widths } from "../../../options/option.ts";

/** Options of DIN. */
export interface DinConfig {
  /** Hidden widths of the output MLP. @default {[64, 32]} */
  readonly widths?: readonly number[] | undefined;
  /** Hidden widths of the activation unit, at least one. @default {[80, 40]} */
  readonly attentionWidths?: readonly number[] | undefined;
  /** From scores to weights. @default {"sigmoid"} */
  readonly norm?: AttentionNorm | undefined;
  /** Whether p = Σe/√max(1,T) and q∘p join the MLP's input alongside v. @default {true} */
  readonly keepPooled?: boolean | undefined;
  /** Whether ⟨p, q⟩ + ⟨v, q⟩ is added to the logit. @default {true} */
  readonly dotHead?: boolean | undefined;
}

export const DIN_OPTIONS = {
  widths: widths([64, 32], "hidden widths of the output MLP"),
  attentionWidths: widths([80, 40], "hidden widths of the activation unit"),
  norm: choice<AttentionNorm>(["sigmoid", "softmax", "linear"], "sigmoid", "how scores become weights"),
  keepPooled: flag(true, "whether the pooled history and its product join the MLP's input"),
  dotHead: flag(true, "whether ⟨pooled history, candidate⟩ is added to the logit"),
} satisfies OptionsOf<DinConfig>;
