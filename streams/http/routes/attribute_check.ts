/**
 * Checks that items have the attributes of conditions, with values of their types: otherwise a filter would admit no
 * items, or all.
 */

import type { AttributeValue, Condition } from "../../../src/events/event.ts";
import { nearName } from "../../../src/events/keys/near_name.ts";
import type { Catalogue } from "../../../src/items/catalogue.ts";

/** The part of a catalogue that the check needs. */
export type AttributeCatalogue = Pick<Catalogue, "items" | "size" | "schema">;

/** How long the attributes found in the catalogue count as complete, milliseconds. */
const BELIEVED_MS = 1000;
/** Most names that are remembered; beyond that, every attribute is accepted. */
const MAX_NAMES = 1000;

/** What conditions compare. */
type Kind = "text" | "number" | "flag" | "list";

/**
 * Finds unknown attributes, and values of other types than items have. What was found on an item stays known. For others,
 * it scans the catalogue, O(items), at most once a second.
 */
export class AttributeCheck {
  readonly #catalogue: () => AttributeCatalogue | undefined;
  readonly #clock: () => number;
  readonly #present = new Map<string, Set<Kind>>();
  #lookedAt = -Infinity;

  /** Checks against a catalogue; without one (`undefined`), every attribute is accepted. */
  constructor(catalogue: () => AttributeCatalogue | undefined, clock: () => number) {
    this.#catalogue = catalogue;
    this.#clock = clock;
  }

  /** Why the first invalid condition is invalid; `null` = all are valid. */
  fault(conditions: readonly Condition[]): string | null {
    const catalogue = this.#catalogue();
    if (catalogue === undefined || catalogue.size === 0) return null;
    for (const condition of conditions) {
      const fault = this.#faultOf(condition, catalogue);
      if (fault !== null) return fault;
    }
    return null;
  }

  #faultOf({ attribute, is, value }: Condition, catalogue: AttributeCatalogue): string | null {
    const wanted = is === "has" ? "list" : kindOf(value);
    const kinds = this.#kindsOf(attribute, wanted, catalogue);
    if (kinds.has(wanted) || this.#present.size >= MAX_NAMES) return null;
    const name = JSON.stringify(attribute);
    if (kinds.size > 0) {
      const theirs = [...kinds].map((kind) => `${kind}s`).join(" and ");
      const why = is === "has"
        ? "; `has` is for lists"
        : kinds.has("list")
        ? ", for which only `has` works"
        : "";
      return `Cannot filter by attribute ${name} with ${
        JSON.stringify(value)
      }: items have ${theirs} there${why}`;
    }
    const { itemFields, crosses } = catalogue.schema;
    if (itemFields.includes(attribute) || crosses.includes(attribute)) return null;
    const near = nearName(attribute, [...new Set([...itemFields, ...crosses, ...this.#present.keys()])]);
    const hint = near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
    return `Cannot filter by attribute ${name}: no item has it, and no configuration names it${hint}`;
  }

  /** The kinds of an attribute's values, looked up again if the wanted one is not among them. */
  #kindsOf(attribute: string, wanted: Kind, catalogue: AttributeCatalogue): ReadonlySet<Kind> {
    const now = this.#clock();
    const isMissing = !(this.#present.get(attribute)?.has(wanted) ?? false);
    if (isMissing && now - this.#lookedAt >= BELIEVED_MS) {
      this.#lookedAt = now;
      for (const { attributes } of catalogue.items()) {
        for (const [name, own] of Object.entries(attributes)) this.#note(name, kindOf(own));
      }
    }
    return this.#present.get(attribute) ?? new Set();
  }

  #note(name: string, kind: Kind): void {
    const kinds = this.#present.get(name);
    if (kinds !== undefined) kinds.add(kind);
    else if (this.#present.size < MAX_NAMES) this.#present.set(name, new Set([kind]));
  }
}

function kindOf(value: AttributeValue): Kind {
  if (typeof value === "object") return "list";
  return typeof value === "string" ? "text" : typeof value === "number" ? "number" : "flag";
}
