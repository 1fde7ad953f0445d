/** JSON from endpoints that issue tokens and credentials. No message contains their answers. */

import { reasonOf } from "../../../../src/values/reason.ts";
import { isRecord } from "../../../../src/values/record.ts";
import { LoginError } from "./login_error.ts";

const TIMEOUT_MS = 10_000;
const TOO_MANY = 429;
const SERVER_ERROR = 500;

/** Calls an endpoint. @param what what it is called for, for messages @throws LoginError */
export async function askEndpoint(
  what: string,
  url: string,
  init: RequestInit = {},
): Promise<Readonly<Record<string, unknown>>> {
  const { origin, pathname } = new URL(url);
  const at = `${what} from ${origin}${pathname}`;
  let response: Response;
  try {
    response = await fetch(url, { ...init, redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    throw new LoginError(`Cannot get ${at}: ${reasonOf(cause)}`, true);
  }
  const body: unknown = await response.json().catch(() => undefined);
  const fields = isRecord(body) ? body : {};
  if (response.ok) return fields;
  // In OAuth 2, `error` is one word.
  const reason = typeof fields["error"] === "string" ? ` ${fields["error"].slice(0, 100)}` : "";
  const isPassing = response.status >= SERVER_ERROR || response.status === TOO_MANY;
  throw new LoginError(`Cannot get ${at}: it answered ${response.status}${reason}`, isPassing);
}

/** A text in an answer. @throws LoginError when it is missing */
export function textOf(fields: Readonly<Record<string, unknown>>, name: string, what: string): string {
  const value = fields[name];
  if (typeof value === "string" && value !== "") return value;
  throw new LoginError(`Cannot get ${what}: the answer has no ${name}`, false);
}
