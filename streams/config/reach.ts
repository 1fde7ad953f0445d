/** How far a change of each field of the configuration reaches, as its option declares. */

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
 * How far a change of each field reaches, by its path, such as `sequence.window`. A field without a declaration
 * inherits that of the part that contains it; `undefined` = none declares it. A part whose names users choose, such as
 * `actions`, also has the path `actions.*`.
 */
export function reachesOf(): ReadonlyMap<string, Reach | undefined> {
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
  walk("", configJsonSchema() as Node, undefined); // has the keywords that are read here
  return reaches;
}
