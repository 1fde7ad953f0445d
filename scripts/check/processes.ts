/** Queries the processes of a deployment over HTTP. */

import { reasonOf } from "../../src/values/reason.ts";
import { KEY_VARIABLE } from "../../streams/http/contract/settings.ts";
import type { Problem } from "../../streams/service/problem.ts";
import type { PartitionStatus, ServiceStatus } from "../../streams/service/status.ts";
import { keyHeaders } from "../flags/server_flags.ts";
import type { SeenRejections } from "./rejections.ts";

/** Short, because a user waits for the answer. */
const TIMEOUT_MS = 10_000;

/** What a process reports about itself, or why it cannot be queried. */
export interface Process {
  readonly line?: string;
  readonly problem?: Problem | undefined;
  readonly lags?: readonly Pick<PartitionStatus, "partition" | "lag">[];
  /** Offsets of events in its partitions. */
  readonly events?: number;
  /** Rejected records of the deployment; absent from releases before 0.3. */
  readonly rejections?: SeenRejections["look"] | undefined;
}

/** The status of a process over HTTP; only the process knows the progress of its restores. */
export async function processAt(url: string): Promise<Process> {
  try {
    const response = await fetch(new URL("/v1/status", url), {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: keyHeaders(),
    });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    const unready = await unreadyProblem(url);
    const { partitions, version, sources }: ServiceStatus = await response.json();
    const held = partitions.map(({ partition, restoring, restore }) => {
      if (!restoring) return String(partition);
      const left = restore?.secondsLeft ?? null;
      const share = restore === null
        ? "waiting"
        : `${Math.round(restore.share * 100)} % of its ${restore.source}`;
      return `${partition} (${share}${left === null ? "" : `, ${Math.round(left)} s left`})`;
    });
    const unlearnt = partitions.reduce((sum, { othersLag }) => sum + othersLag, 0);
    const signals = unlearnt === 0 ? "" : `, ${unlearnt} records of other partitions' signals not learnt yet`;
    const lag = partitions.reduce((sum, one) => sum + one.lag, 0);
    const behindBy = partitions.length === 0 ? "" : `, lag ${lag}`;
    return {
      line: `${url}: version ${version}, partitions ${held.join(", ") || "-"}${behindBy}${signals}${
        sourcesText(sources)
      }`,
      lags: partitions.map(({ partition, lag }) => ({ partition, lag })),
      events: partitions.reduce((sum, { committed, lag }) => sum + committed + lag, 0),
      rejections: await rejectionsAt(url),
      problem: unready ?? pausedSources(url, sources) ?? undefined,
    };
  } catch (error) {
    const reason = reasonOf(error);
    const remedy =
      `start it with --http, make it reachable from here, and set ${KEY_VARIABLE} if it needs a key`;
    return { problem: { what: `the process at ${url} cannot be queried: ${reason}`, remedy } };
  }
}

/** Why a process does not take in a source, or any, although it should. */
function pausedSources(url: string, sources: ServiceStatus["sources"] | undefined): Problem | null {
  if (!sources || sources.fault === null) return null;
  const share = sources.isReading ? "only some sources" : "no source";
  return {
    what: `the process at ${url} takes in ${share}: ${sources.fault}`,
    remedy: "repair what it waits for; requests are answered meanwhile, and nothing is lost within retention",
  };
}

/** How far a process is behind the topics that it takes in. Releases before 0.3 do not report it. */
function sourcesText(sources: ServiceStatus["sources"] | undefined): string {
  if (!sources || sources.fault !== null && sources.lags.length === 0) return "";
  const lags = Map.groupBy(sources.lags, ({ source }) => source);
  const behind = [...lags].map(([source, own]) => {
    const [lag, ms] = [
      own.reduce((sum, { lag }) => sum + lag, 0),
      Math.max(...own.map(({ lagMs }) => lagMs)),
    ];
    return `${source} ${lag} records, ${Math.round(ms / 1000)} s behind`;
  });
  return `; sources: ${behind.join(", ") || "being opened"}`;
}

/** What a process sees of rejected records. */
async function rejectionsAt(url: string): Promise<Process["rejections"]> {
  const response = await fetch(new URL("/v1/rejected", url), {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: keyHeaders(),
  });
  const look: Process["rejections"] = response.ok ? await response.json() : undefined;
  if (look?.offsets === undefined) return undefined;
  const { isAll, offsets, reasons } = look;
  return {
    isAll,
    offsets,
    reasons: reasons.map(({ source, from, code, count, newest: { time } }) => ({
      source,
      from,
      code,
      count,
      newest: { time },
    })),
  };
}

/** Why a process is not ready to answer, if it is not. */
async function unreadyProblem(url: string): Promise<Problem | null> {
  const response = await fetch(new URL("/ready", url), { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const { ready, reasons }: { readonly ready: boolean; readonly reasons: readonly string[] } = await response
    .json();
  if (ready) return null;
  return {
    what: `the process at ${url} is not ready: ${reasons.join("; ")}`,
    remedy:
      "wait while it starts or restores; otherwise fix the causes named (docs/reference/http.md, Live and ready)",
  };
}
