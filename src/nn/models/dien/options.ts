/** Options of DIEN. */

import type { AttentionNorm } from "../../layers/attention.ts";
import type { AuxiliaryScore } from "./auxiliary.ts";
import type { AttentionalForm } from "../../layers/gru.ts";
import type { Pooling } from "../../layers/pool.ts";
import { choice, count, flag, type OptionsOf, positive, widths } from "../../../options/option.ts";

/** Options of DIEN. */
export interface DienConfig {
  /** Width H of both GRUs. @default {32} */
  readonly hidden?: number | undefined;
  /** Hidden widths of the output MLP. @default {[64, 32]} */
  readonly widths?: readonly number[] | undefined;
  /** How the history becomes m. @default {"sqrt"} */
  readonly pooling?: Pooling | undefined;
  /** Score of a state: h W qᵀ; with `none` all states have weight 1. @default {"bilinear"} */
  readonly attention?: "bilinear" | "none" | undefined;
  /** From scores to weights. @default {"sigmoid"} */
  readonly norm?: AttentionNorm | undefined;
  /** How attention enters the second GRU. @default {"augru"} */
  readonly form?: AttentionalForm | undefined;
  /** Score of the auxiliary loss; `inner` needs H = d. @default {"mlp"} */
  readonly auxiliary?: AuxiliaryScore | undefined;
  /** Hidden widths of the auxiliary MLP; the authors use [100, 50]. @default {[50]} */
  readonly auxiliaryWidths?: readonly number[] | undefined;
  /** Factor of the behaviours at the extractor's input. @default {5} */
  readonly inputGain?: number | undefined;
  /** Whether ⟨Σe/√max(1,T), q⟩ is added to the logit. @default {true} */
  readonly dotHead?: boolean | undefined;
  /**
   * Whether ⟨h'_T, q⟩ is added to the logit, as in next-item models (GRU4Rec, Hidasi et al. 2016); otherwise the MLP has
   * to relate the order of a history to q. Only if H = d. @default {false}
   */
  readonly evolvedDot?: boolean | undefined;
}

export const DIEN_OPTIONS = {
  hidden: count(32, "width of both GRUs"),
  widths: widths([64, 32], "hidden widths of the output MLP"),
  pooling: choice(["mean", "sum", "sqrt"], "sqrt", "how the history becomes one vector"),
  attention: choice(["bilinear", "none"], "bilinear", "score of a state; `none` = all weigh 1"),
  norm: choice<AttentionNorm>(["sigmoid", "softmax", "maxnorm"], "sigmoid", "how scores become weights"),
  form: choice(
    ["augru", "agru", "aigru", "augruResetBefore", "official", "keepScaled"],
    "augru",
    "how attention enters the second GRU",
  ),
  auxiliary: choice(["mlp", "inner"], "mlp", "score of the auxiliary loss"),
  auxiliaryWidths: widths([50], "hidden widths of the auxiliary MLP"),
  inputGain: positive(5, "factor of the behaviours at the extractor's input"),
  dotHead: flag(true, "whether ⟨pooled history, candidate⟩ is added to the logit"),
  evolvedDot: flag(false, "whether ⟨last state, candidate⟩ is added to the logit"),
} satisfies OptionsOf<DienConfig>;
