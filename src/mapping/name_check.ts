/**
 * Names in events and items that the configuration lacks: actions that change nothing, attributes that nothing reads.
 */

import type { Attributes } from "../events/event.ts";
import type { OwnRecord } from "../events/own_record.ts";
import { nearName } from "../events/keys/near_name.ts";
import { MAX_NAME_BYTES } from "../events/limits.ts";
import { ITEM_FIELDS } from "../events/schema.ts";
import { actionOf } from "./foreign_actions.ts";
import { fieldOf, isRecord } from "../values/record.ts";

/** The names in a configuration. */
export interface ConfiguredNames {
  /** Configured actions. */
  readonly actions: readonly string[];
  /** Attributes of users that are features. */
  readonly userFields: readonly string[];
  /** Attributes of items that are features. */
  readonly itemFields: readonly string[];
  /** Those of them that are read as lists of numbers. @default {none} */
  readonly vectors?: readonly string[] | undefined;
  /** Parts of the context that are features. */
  readonly contextFields: readonly string[];
  /** Why tasks reject an item with such attributes; `null` = they take it. @default {they take any} */
  readonly whyRejected?: ((attributes: Attributes) => string | null) | undefined;
}

const MAX_REPORTED = 100;
/** Most names that are compared with those of features; later ones are ignored. */
const MAX_COMPARED = 1000;

/**
 * Reports each of the first hundred unknown names once. Attributes need not be features, so one is reported only when
 * its name is close to that of a feature, or when a field of an item outside `attributes` has such a name.
 *
 * @example
 * ```ts
 * import { NameCheck } from "./name_check.ts";
 * import assert from "node:assert/strict";
 *
 * const names = new NameCheck({ actions: ["click"], userFields: [], itemFields: ["brand"], contextFields: [] });
 * const event = { type: "interaction", user: "u", item: "i", action: "clik", time: 0 } as const;
 * const [report = ""] = names.see({ kind: "event", event });
 * assert.ok(report.endsWith("did you mean click?"));
 * assert.deepEqual(names.see({ kind: "event", event }), []);
 * ```
 */
export class NameCheck {
  readonly #actions: ReadonlySet<string>;
  readonly #known: ConfiguredNames;
  readonly #compare: typeof nearName;
  /** The feature closest to a name, if any, by owner and name. */
  readonly #near = new Map<string, string | undefined>();
  readonly #reported = new Set<string>();

  /** Makes a check that has reported nothing. @param compare finds the known name closest to another */
  constructor(known: ConfiguredNames, compare = nearName) {
    this.#known = known;
    this.#compare = compare;
    this.#actions = new Set(known.actions);
  }

  /** Sentences about unknown names in a record that were not reported yet. */
  see(own: OwnRecord): readonly string[] {
    if (this.#reported.size >= MAX_REPORTED) return [];
    if (own.kind === "item") return own.isRemoved ? [] : this.#item(own.item);
    const { event } = own;
    switch (event.type) {
      case "interaction":
        return this.#actions.has(event.action) ? [] : this.#action(event.action);
      case "profile":
        return this.#attributes("users", event.attributes, this.#known.userFields);
      case "impression":
      case "request":
        return this.#attributes("the context", event.context, this.#known.contextFields);
      default:
        return [];
    }
  }

  #action(action: string): readonly string[] {
    if (!this.#isNew("action", action)) return [];
    const foreign = actionOf(action) ?? "";
    const near = this.#compare(action, this.#known.actions) ??
      (this.#actions.has(foreign) ? foreign : undefined);
    const hint = near === undefined ? "define it in the configuration" : `did you mean ${near}?`;
    return [`action ${JSON.stringify(action)} has no entry under actions, so it changes nothing; ${hint}`];
  }

  #item(item: object): readonly string[] {
    const { itemFields } = this.#known;
    const beside = Object.keys(item).filter((name) => !Object.hasOwn(ITEM_FIELDS, name)).flatMap((name) => {
      const near = itemFields.includes(name) ? name : this.#nearest("items", name, itemFields);
      if (near === undefined || !this.#isNew("beside", name)) return [];
      return [
        `${
          JSON.stringify(name)
        } is a field of items outside attributes, which nothing reads: move it into attributes`,
      ];
    });
    const attributes = fieldOf(item, "attributes");
    const own = isRecord(attributes) ? attributes : {};
    return [...beside, ...this.#attributes("items", own, itemFields), ...this.#vectors(own)];
  }

  /** Lists of numbers whose field reads one value. */
  #vectors(attributes: Readonly<Record<string, unknown>>): readonly string[] {
    const { itemFields, vectors = [] } = this.#known;
    return itemFields.flatMap((name) => {
      const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
      if (!Array.isArray(value) || typeof value[0] !== "number" || vectors.includes(name)) return [];
      if (!this.#isNew("vectors", name)) return [];
      const { length } = value;
      return [
        `attribute ${JSON.stringify(name)} of items is a list of ${length} numbers, which no model reads: ` +
        `name it ${name}[${length}] in features.itemFields`,
      ];
    });
  }

  #attributes(of: string, attributes: object | undefined, features: readonly string[]): readonly string[] {
    if (attributes === undefined || features.length === 0) return [];
    return Object.keys(attributes).flatMap((name) => {
      if (features.includes(name)) return [];
      const near = this.#nearest(of, name, features);
      if (near === undefined || Object.hasOwn(attributes, near) || !this.#isNew(of, name)) return [];
      return [`attribute ${JSON.stringify(name)} of ${of} is not a feature; did you mean ${near}?`];
    });
  }

  /** The feature closest to a name, if any. Attributes come with every record, so each name is compared once. */
  #nearest(of: string, name: string, features: readonly string[]): string | undefined {
    const key = `${of}\n${name}`;
    if (name.length <= MAX_NAME_BYTES && this.#near.size < MAX_COMPARED && !this.#near.has(key)) {
      this.#near.set(key, this.#compare(name, features));
    }
    return this.#near.get(key);
  }

  #isNew(of: string, name: string): boolean {
    const key = `${of}\n${name}`;
    if (this.#reported.size >= MAX_REPORTED || this.#reported.has(key)) return false;
    this.#reported.add(key);
    return true;
  }
}
