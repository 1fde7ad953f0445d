/**
 * How far a change of each field of the configuration reaches, as the options' own declarations say.
 *
 * @module
 */

import type { JsonSchema } from "../../src/events/json_schema.ts";
import type { Reach } from "../../src/options/option.ts";
import { configJsonSchema } from "./config.ts";

/** JSON Schema, as far as zod writes it here. */
interface Node {
  readonly "x-reach"?: Reach;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly additionalProperties?: Node | boolean;
  readonly not?: unknown;
}

/**
 * How far a change of each field reaches, by its path, such as `sequence.window`; a field that does not say so does as the
 * part that it is in. `undefined` = nobody says. A part with names of its users' own, such as `actions`, has the path
 * `actions.*`, too.
 */
export function reachesOf(
  schema: JsonSchema = configJsonSchema(),
): ReadonlyMap<string, Reach | undefined> {
  const reaches = new Map<string, Reach | undefined>();
  const walk = (path: string, node: Node, before: Reach | undefined) => {
    const reach = node["x-reach"] ?? before;
    if (path !== "") reaches.set(path, reaches.get(path) ?? reach);
    if (typeof node.additionalProperties === "object") reaches.set(`${path}.*`, reach);
    for (const { properties = {} } of [node, ...node.anyOf ?? [], ...node.oneOf ?? []]) {
      for (const [name, child] of Object.entries(properties)) {
        if (child.not === undefined) walk(path === "" ? name : `${path}.${name}`, child, reach);
      }
    }
  };
  walk("", schema as Node, undefined); // with the keywords that are read here
  return reaches;
}
