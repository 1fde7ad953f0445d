/** Options of MIMN. */

import {
  count,
  flag,
  integer,
  number,
  numbers,
  type OptionsOf,
  share,
  widths,
} from "../../../options/option.ts";

/** Options of MIMN. */
export interface MimnConfig {
  /** Memory slots m, at most 255. @default {4} */
  readonly slots?: number | undefined;
  /** Width Hc of the controller. @default {32} */
  readonly hidden?: number | undefined;
  /** Whether the candidate reads the induction unit's channels: v and q∘v. @default {true} */
  readonly induction?: boolean | undefined;
  /** Channels κ that a behaviour updates. @default {1} */
  readonly topK?: number | undefined;
  /** Share of the trained slot keys in addressing, in [0, 1]; the rest is the slots' content. @default {0.5} */
  readonly slotKeyWeight?: number | undefined;
  /** Share of the slots' write mass kept per step, ρ in (0, 1]. @default {0.999} */
  readonly decay?: number | undefined;
  /** Factor λ of the utilisation regularisation. @default {0.1} */
  readonly regularisation?: number | undefined;
  /** Hidden widths of the output MLP. @default {[64, 32]} */
  readonly widths?: readonly number[] | undefined;
  /**
   * Share that each pooled history p keeps per behaviour, ρ in (0, 1]: 1 is the plain sum of all behaviours, 0.98
   * follows the newest 50, 0.999 the newest 1,000. @default {[0.98, 0.999]}
   */
  readonly traces?: readonly number[] | undefined;
  /** Whether each p and q∘p join the MLP's input. @default {true} */
  readonly keepPooled?: boolean | undefined;
  /** Whether Σ ⟨p, q⟩ is added to the logit. @default {true} */
  readonly dotHead?: boolean | undefined;
}

export const MIMN_OPTIONS = {
  slots: integer(4, { above: 0, maximum: 255 }, "memory slots"),
  hidden: count(32, "width of the controller"),
  topK: count(1, "channels that a behaviour updates"),
  induction: flag(true, "whether the candidate reads the induction unit's channels"),
  slotKeyWeight: share(0.5, "share of the trained slot keys in addressing"),
  decay: number(0.999, { above: 0, maximum: 1 }, "share of the slots' write mass kept per step"),
  traces: numbers(
    number(1, { above: 0, maximum: 1 }, ""),
    { minimum: 1, maximum: 8 },
    [0.98, 0.999],
    "share that each pooled history keeps per behaviour",
  ),
  regularisation: number(0.1, { minimum: 0 }, "factor of the utilisation regularisation"),
  widths: widths([64, 32], "hidden widths of the output MLP"),
  keepPooled: flag(true, "whether the pooled history and its product join the MLP's input"),
  dotHead: flag(true, "whether ⟨pooled history, candidate⟩ is added to the logit"),
} satisfies OptionsOf<MimnConfig>;
