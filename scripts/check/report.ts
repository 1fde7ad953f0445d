/** The output of `deno task check`: tables of a deployment, its problems, and a verdict. */

import { dateOf } from "../../src/values/date_of.ts";
import type { SourceLag } from "../../streams/feeders/followed_topic.ts";
import type { Inspection } from "../../streams/service/inspection.ts";
import type { Problem } from "../../streams/service/problem.ts";

/** Everything that was found on the log. */
export type Look = Inspection & {
  readonly sources: readonly SourceLag[];
  readonly notes: readonly Problem[];
};

/** Notes on partitions that were added to topics to which only meander writes. */
export function unusedIn(topics: Inspection["topics"]): readonly Problem[] {
  return topics.filter(({ unused }) => unused > 0).map(({ name, partitions, unused }) => ({
    what: `topic ${name} has ${partitions} partitions, of which ${partitions - unused} are used`,
    remedy: "none needed: the rest stay empty",
  }));
}

/** The whole report. @param latenessMs how far the watermark is behind the newest event time */
export function render(
  { topics, partitions, learners, sources, problems, notes }: Look,
  latenessMs: number,
): string {
  const time = (ms: number | null) => ms === null ? "-" : dateOf(ms);
  const member = (host: string | undefined | null) => host === undefined ? "" : host ?? "nobody";
  return [
    table([
      ["topic", "partitions", "offsets"],
      ...topics.map((one) => [one.name, one.partitions, one.records]),
    ]),
    "",
    table([
      ["partition", "end", "committed", "lag", "lost", "misplaced", "watermark", "member"],
      ...partitions.map((one) => [
        one.partition,
        one.end,
        one.next ?? one.committed ?? "-",
        one.lag,
        one.counts.lost,
        one.counts.misplaced,
        time(one.eventTime === null ? null : one.eventTime - latenessMs),
        member(one.member === null ? null : one.member && `${one.member.host} ${one.member.id.slice(-8)}`),
      ]),
    ]),
    "",
    table([
      ["model", "version", "samples waiting", "lost", "learners"],
      ...learners.map((one) => [one.model, one.version, one.lag, one.lost, one.members?.length ?? ""]),
    ]),
    "",
    ...(sources.length === 0 ? [] : [
      table([
        ["source", "topic", "partition", "lag", "seconds", "lost"],
        ...sources.map((
          one,
        ) => [one.source, one.topic, one.partition, one.lag, Math.round(one.lagMs / 1000), one.lost]),
      ]),
      "",
    ]),
    ...(notes.length === 0 ? [] : [problemLines(notes, "NOTE")]),
    ...(problems.length === 0 ? [] : [problemLines(problems)]),
    problems.length === 0 ? "all is well" : "something is wrong or missing",
    "",
  ].join("\n");
}

/** Rows in columns: the first left-aligned, the others right-aligned. */
function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => String(row[c]).length)));
  const cell = (value: string | number, c: number) =>
    c === 0 ? String(value).padEnd(widths[c] ?? 0) : String(value).padStart(widths[c] ?? 0);
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}

/** Problems, or notes, each with its remedy. */
export function problemLines(problems: readonly Problem[], kind: "PROBLEM" | "NOTE" = "PROBLEM"): string {
  return problems.map(({ what, remedy }) => `${kind}: ${what}\n      -> ${remedy}`).join("\n");
}
