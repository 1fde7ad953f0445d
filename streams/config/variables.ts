/** Environment variables that no command reads. */

import { nearName } from "../../src/events/keys/near_name.ts";
import { shown } from "../../src/events/rejected.ts";
import { KEY_VARIABLE } from "../http/contract/settings.ts";
import { variablesOf } from "../settings/config_environment.ts";
import { configJsonSchema } from "./config.ts";
import { removedVariables } from "./removed_fields.ts";

/** Variables that are no field of the configuration. */
const OTHERS = [
  KEY_VARIABLE,
  "MEANDER_SASL_USERNAME",
  "MEANDER_SASL_PASSWORD",
  "MEANDER_TLS_PASSPHRASE",
  "MEANDER_REGISTRY_PASSWORD",
  "MEANDER_REGISTRY_TOKEN",
  "MEANDER_DEBUG",
];
/** What Kubernetes sets for a service called `meander`, or `meander-...`. */
const OF_SERVICES = /_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?$/;

/**
 * Remarks on variables that begin like ours but have no meaning, a sentence each.
 *
 * @param names of all variables
 *
 * @example
 * ```ts
 * import { unknownVariables } from "./variables.ts";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(unknownVariables(["HOME", "MEANDER_RANKING", "MEANDER_HTTP_MAXBODY_BYTES"]), [
 *   "MEANDER_HTTP_MAXBODY_BYTES has no meaning; did you mean MEANDER_HTTP_MAX_BODY_BYTES?",
 * ]);
 * ```
 */
export function unknownVariables(names: readonly string[]): readonly string[] {
  const known = [...variablesOf(configJsonSchema()), ...OTHERS];
  const removed = removedVariables();
  return names.filter((name) => name.startsWith("MEANDER_") && !known.includes(name)).flatMap((name) => {
    const remedy = removed.get(name);
    if (remedy !== undefined) return [`${name} has no meaning any more: ${remedy}`];
    const near = nearName(name.slice("MEANDER_".length), known.map((one) => one.slice("MEANDER_".length)));
    if (near !== undefined) return [`${shownName(name)} has no meaning; did you mean MEANDER_${near}?`];
    return OF_SERVICES.test(name) ? [] : [`${shownName(name)} has no meaning`];
  });
}

function shownName(name: string): string {
  return /^\w{1,100}$/.test(name) ? name : shown(name);
}
