/**
 * What the commands share that ask a running deployment over HTTP.
 *
 * @module
 */

import type { Command } from "commander";
import { KEY_VARIABLE } from "../streams/server/settings.ts";
import { print } from "./command_line.ts";

/** Where the deployment is, and what to print. */
export interface ServerFlags {
  readonly url: string;
  readonly json?: true;
}

const TIMEOUT_MS = 30_000;

/** Adds the options of {@linkcode ServerFlags}. */
export function addServerFlags(command: Command): Command {
  return command
    .option("--url <url>", "process of the deployment, started with --http", "http://127.0.0.1:8080")
    .option("--json", "print the answer as JSON");
}

/** What a process answers with; `undefined` for 404. @throws Error that says what to do */
export async function call<Answer>(
  { url }: ServerFlags,
  method: "GET" | "DELETE",
  path: string,
): Promise<Answer | undefined> {
  const key = Deno.env.get(KEY_VARIABLE);
  let response: Response;
  try {
    response = await fetch(new URL(path, url), {
      ...{ method, signal: AbortSignal.timeout(TIMEOUT_MS) },
      headers: key === undefined ? {} : { "x-api-key": key },
    });
  } catch (cause) {
    throw new Error(`Cannot reach ${url}: start \`run\` with --http, or say where it is by --url`, { cause });
  }
  if (response.ok) return await response.json();
  const { code, detail = `it answers ${response.status}` } = await response.json().catch(() => ({}));
  if (response.status === 404 && code === "not-found") return undefined;
  const more = response.status === 401 ? `; set ${KEY_VARIABLE}` : "";
  throw new Error(`Cannot ask ${url}: ${detail}${more}`);
}

/** Prints an answer: as JSON, or as people read it. */
export function tell<Answer>(
  { json }: ServerFlags,
  answer: Answer,
  render: (answer: Answer) => string,
): number {
  print(Deno.stdout, json ? `${JSON.stringify(answer, null, 2)}\n` : render(answer));
  return 0;
}

/** Says that there is nothing to tell. */
export function unknown(what: string): number {
  print(Deno.stderr, `${what} is not known there\n`);
  return 1;
}

/** An id as a part of a path. */
export function part(id: string): string {
  return encodeURIComponent(id);
}

/** A time, for people. */
export function when(time: number): string {
  return new Date(time).toISOString().replace(".000Z", "Z");
}
