/** Shared by commands that query a running deployment over HTTP. */

import type { Command } from "commander";
import { KEY_VARIABLE } from "../../streams/http/contract/settings.ts";
import { print } from "./command_line.ts";

/** Where the deployment is, and what to print. */
export interface ServerFlags {
  readonly url: string;
  readonly json?: true;
}

const TIMEOUT_MS = 30_000;

export function addServerFlags(command: Command): Command {
  return command
    .option(
      "--url <url>",
      "URL of a process of the deployment that runs with --http, or several, comma-separated: the one with the user answers",
      "http://127.0.0.1:8080",
    )
    .option("--json", "print the answer as JSON");
}

/** None of the named processes has the partition of the user. */
class ElsewhereError extends Error {}

/** The process does not know the requested object. */
export class AbsentError extends Error {}

/** The process that would know cannot answer now, but may later. */
export class AwayError extends Error {}

/**
 * The answer of the process with the partition, among those that `--url` names.
 *
 * @throws AbsentError for 404; ElsewhereError when none has it; AwayError when one may have it later; Error that says what to do
 */
export async function call<Answer>(
  { url }: ServerFlags,
  method: "GET" | "DELETE",
  path: string,
): Promise<Answer> {
  const places = url.split(",");
  const [nameless] = places.filter((place) => !/^https?:\/\//.test(place));
  if (nameless !== undefined) {
    throw new Error(`Cannot use ${nameless} as the URL of a service: expected http://host:port`);
  }
  let elsewhere: ElsewhereError | undefined, unreachable: UnreachableError | undefined;
  for (const place of places) {
    try {
      return await callOne(place, method, path);
    } catch (error) {
      if (error instanceof ElsewhereError) elsewhere = error;
      else if (error instanceof UnreachableError) unreachable ??= error;
      else throw error;
    }
  }
  if (elsewhere === undefined || unreachable === undefined) throw elsewhere ?? unreachable;
  throw new AwayError(elsewhere.message, { cause: elsewhere });
}

/** The headers with the key. @throws Error when the key cannot be sent, without quoting it */
export function keyHeaders(): Readonly<Record<string, string>> {
  const key = Deno.env.get(KEY_VARIABLE);
  if (key === undefined) return {};
  if (/^[\x21-\x7e]+$/.test(key)) return { "x-api-key": key };
  throw new Error(`Cannot send the key of ${KEY_VARIABLE}: it is empty, or contains spaces or line breaks`);
}

/** No process listens at the URL. */
class UnreachableError extends AwayError {}

async function callOne<Answer>(
  url: string,
  method: "GET" | "DELETE",
  path: string,
): Promise<Answer> {
  const headers = keyHeaders();
  let response: Response;
  try {
    response = await fetch(new URL(path, url), {
      method,
      headers,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    const message = `Cannot reach ${url}: start \`run\` with --http, or give its address with --url`;
    throw new UnreachableError(message, { cause });
  }
  if (response.ok) return await response.json();
  const { code, detail = `it answered ${response.status}` } = await response.json().catch(() => ({}));
  if (response.status === 404 && code === "not-found") throw new AbsentError(detail);
  if (code === "elsewhere") {
    throw new ElsewhereError(
      `Cannot query ${url}: ${detail}; name the process that has it with --url, or all of them, comma-separated`,
    );
  }
  const more = response.status === 401 ? `; set ${KEY_VARIABLE}` : "";
  const message = `Cannot query ${url}: ${detail}${more}`;
  throw response.status >= 500 ? new AwayError(message) : new Error(message);
}

/** Prints an answer as JSON or for people. */
export function tell<Answer>(
  { json }: ServerFlags,
  answer: Answer,
  render: (answer: Answer) => string,
): number {
  print(Deno.stdout, json ? `${JSON.stringify(answer, null, 2)}\n` : render(answer));
  return 0;
}

/** An id as part of a path. */
export function part(id: string): string {
  return encodeURIComponent(id);
}

/** A time, for people. */
export function when(time: number): string {
  return new Date(time).toISOString().replace(".000Z", "Z");
}
