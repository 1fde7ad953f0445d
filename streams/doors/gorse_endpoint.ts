/** Functions that Gorse's endpoints share. */

import type { NamedSchema } from "../http/contract/named_schema.ts";
import { type Call, type Endpoint, type EndpointBody, queryOf } from "../http/endpoint.ts";
import { numberIn } from "./door.ts";

/** Default length of a list or a page. */
const DEFAULT_N = 10;

const PARTS: Readonly<Record<string, string>> = {
  user: "Id of the user",
  item: "Id of the item",
  category: "The category",
  type: "The type",
};

/** Makes an endpoint from method and path, its id without prefix, and properties of its own. */
export type MakeEndpoint = (
  route: `${Endpoint["method"]} ${string}`,
  id: string,
  own: Partial<Endpoint> & Pick<Endpoint, "summary" | "handle">,
) => Endpoint;

/** Makes endpoints that share some properties; an endpoint's own take precedence. */
export function sharing(shared: Pick<Endpoint, "scope"> & Partial<Endpoint>): MakeEndpoint {
  return (route, id, own) => {
    const [method, path = ""] = route.split(" ") as [Endpoint["method"], string]; // as its type says
    const parts = [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => [name, PARTS[name] ?? ""]);
    const parameters: Readonly<Record<string, string>> = Object.fromEntries(parts);
    const summary = `Gorse: ${own.summary}`;
    return { answers: {}, parameters, ...shared, ...own, method, path, id: `gorse${id}`, summary };
  };
}

/** A body of JSON: one object. @param many whether it may also be a list */
export function jsonBody(schema: NamedSchema, many = false): EndpointBody {
  return { kinds: ["json"], schema, many };
}

/** How many entries a call asks for, and how many it skips. @throws Problem `bad-parameter` */
export function rangeOf(call: Call): { readonly n: number; readonly offset: number } {
  const query = queryOf(call);
  return { n: numberIn(query, "n", DEFAULT_N), offset: numberIn(query, "offset", 0) };
}

/** The parameter `n` of lists and pages. */
export const N = {
  about: `How many; ${DEFAULT_N} by default`,
  schema: { type: "integer", minimum: 0, maximum: 1000 },
} as const;
