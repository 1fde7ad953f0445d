/** Options of the base model. */

import type { Pooling } from "../../layers/pool.ts";
import { choice, flag, type OptionsOf, widths } from "../../../options/option.ts";

/** Options of the base model. */
export interface BaseConfig {
  /** Hidden widths of the output MLP. @default {[64, 32]} */
  readonly widths?: readonly number[] | undefined;
  /** How the history becomes s. @default {"sqrt"} */
  readonly pooling?: Pooling | undefined;
  /** Whether q∘s joins the MLP's input: the product layer of PNN (Qu et al. 2016). @default {true} */
  readonly product?: boolean | undefined;
  /** Whether ⟨Σe/√max(1,T), q⟩ is added to the logit. @default {true} */
  readonly dotHead?: boolean | undefined;
}

export const BASE_OPTIONS = {
  widths: widths([64, 32], "hidden widths of the output MLP"),
  pooling: choice(["mean", "sum", "sqrt"], "sqrt", "how the history becomes one vector"),
  product: flag(true, "whether history times candidate joins the MLP's input"),
  dotHead: flag(true, "whether ⟨pooled history, candidate⟩ is added to the logit"),
} satisfies OptionsOf<BaseConfig>;
