/** What a sender is told of an accepted event or item that does not do what it was meant to. */

import type { Attributes, Event, ItemRecord } from "../events/event.ts";
import { nearName } from "../events/keys/near_name.ts";
import { MAX_NAME_BYTES } from "../events/limits.ts";
import type { OwnRecord } from "../events/own_record.ts";
import { shown } from "../events/rejected.ts";
import { EVENT_FIELDS, ITEM_FIELDS } from "../events/schema.ts";
import { keysOf } from "../values/record.ts";
import type { ConfiguredNames } from "./name_check.ts";

export const WARNING_CODES = [
  "unread-field",
  "other-type",
  "will-be-rejected",
  "unknown-action",
  "not-in-catalogue",
] as const;

/** A warning about an accepted entry. */
export interface EntryWarning {
  readonly code: (typeof WARNING_CODES)[number];
  /** What is wrong with it, in a sentence of about 300 characters at most. */
  readonly warning: string;
}

/** Most names of attributes whose types are remembered. */
const MAX_NAMES = 1000;
/** Most warnings about a record. */
const MAX_WARNINGS = 5;
const NONE: readonly EntryWarning[] = [];

/** Types of attributes. Filters compare values of one type, and lists with `has` alone. */
const TYPES = { string: "a text", number: "a number", boolean: "true or false", list: "a list" } as const;
type Type = keyof typeof TYPES;
const ALL_TYPES = keysOf(TYPES);

/** How often an attribute had each type. */
type Counts = Record<Type, number>;

const ITEM_NAMES: ReadonlySet<string> = new Set(Object.keys(ITEM_FIELDS));
const PROFILE_NAMES: ReadonlySet<string> = new Set(["type", ...Object.keys(EVENT_FIELDS.profile)]);

/**
 * Finds what is certain from a record, the configuration and the items seen before. A record without a fault costs no
 * allocation.
 *
 * @example
 * ```ts
 * import { EntryCheck } from "./entry_check.ts";
 * import assert from "node:assert/strict";
 *
 * const check = new EntryCheck({ actions: ["click"], userFields: [], itemFields: [], contextFields: [] });
 * const item = { item: "tent", time: 0, price: 9.5 };
 * assert.equal(check.find({ kind: "item", item })[0]?.code, "unread-field");
 * ```
 */
export class EntryCheck {
  readonly #known: ConfiguredNames;
  readonly #actions: ReadonlySet<string>;
  readonly #types = new Map<string, Counts>();

  /** A check that has seen no item. */
  constructor(known: ConfiguredNames) {
    this.#known = known;
    this.#actions = new Set(known.actions);
  }

  /** The warnings about a record. */
  find(own: OwnRecord): readonly EntryWarning[] {
    if (own.kind === "item") return own.isRemoved ? NONE : this.#item(own.item);
    return this.#event(own.event);
  }

  #event(event: Event): readonly EntryWarning[] {
    if (event.type === "profile") return beside(event, PROFILE_NAMES);
    if (event.type !== "interaction" || this.#actions.has(event.action)) return NONE;
    const { action } = event;
    const near = nearName(action, this.#known.actions);
    const hint = near === undefined ? "define it in the configuration" : `did you mean ${near}?`;
    const warning = `action ${shown(action)} has no entry under actions, so it changes nothing; ${hint}`;
    return [{ code: "unknown-action", warning }];
  }

  #item(item: ItemRecord): readonly EntryWarning[] {
    const { attributes } = item;
    const found = beside(item, ITEM_NAMES);
    return attributes === undefined ? found : this.#attributes(attributes, found);
  }

  #attributes(attributes: Attributes, before: readonly EntryWarning[]): readonly EntryWarning[] {
    let found = before;
    const reason = this.#known.whyRejected?.(attributes) ?? null;
    if (reason !== null) {
      found = [...found, { code: "will-be-rejected", warning: `tasks will reject it: ${reason}` }];
    }
    for (const name in attributes) {
      const warning = this.#typeWarning(name, attributes[name]);
      if (warning !== null && found.length < MAX_WARNINGS) {
        found = [...found, { code: "other-type", warning }];
      }
    }
    return found;
  }

  /** What is odd about the type of an attribute: most items before it had another. Counts it. */
  #typeWarning(name: string, value: unknown): string | null {
    const type = typeOf(value);
    if (type === null) return null;
    let counts = this.#types.get(name);
    if (counts === undefined) {
      if (this.#types.size >= MAX_NAMES || name.length > MAX_NAME_BYTES) return null;
      counts = { string: 0, number: 0, boolean: 0, list: 0 };
      this.#types.set(name, counts);
    }
    const { string, number, boolean, list } = counts;
    const most = Math.max(string, number, boolean, list);
    if (counts[type]++ === most) return null;
    const other = ALL_TYPES.find((one) => one !== type && counts[one] === most);
    if (other === undefined) return null;
    const items = most === 1 ? "an earlier item" : `${most} earlier items`;
    return `attribute ${shown(name)} is ${TYPES[type]}, and ${
      TYPES[other]
    } in ${items}: filters compare one type`;
  }
}

function typeOf(value: unknown): Type | null {
  const type = typeof value;
  if (type === "string" || type === "number" || type === "boolean") return type;
  return Array.isArray(value) ? "list" : null;
}

/** A warning for each scalar or list beside the attributes, which nothing reads there. */
function beside(record: object, known: ReadonlySet<string>): readonly EntryWarning[] {
  let found = NONE;
  for (const name in record) {
    if (known.has(name) || typeOf(record[name as keyof typeof record]) === null) continue; // it is one of its keys
    const warning = `nothing reads the field ${
      shown(name)
    } there: if it is an attribute, move it into attributes`;
    found = [...found, { code: "unread-field", warning }];
    if (found.length === MAX_WARNINGS) break;
  }
  return found;
}
