/**
 * `deno task meander -- map`: shows the first records of files or topics, the events and items that mappings make of
 * them, and what is missing; without mappings, it suggests some.
 *
 *     deno task meander -- map --try clicks.jsonl
 *     deno task meander -- map --try kafka:clicks kafka:lists --write
 *     deno task meander -- map
 */

import type { Rejected } from "../src/events/rejected.ts";
import { suggestTogether } from "../src/mapping/suggestions/together.ts";
import { survey, type SurveyedField } from "../src/mapping/suggestions/survey.ts";
import { isOneOf } from "../src/values/one_of.ts";
import { type Config, knownNames } from "../streams/config/config.ts";
import { readConfig } from "../streams/config/read.ts";
import type { Log } from "../streams/log/log.ts";
import { FOREIGN_KIND } from "../streams/log/kinds/kinds.ts";
import { PRESET_NAMES, type PresetName, PRESETS } from "../streams/mapping/presets.ts";
import { compileSource, type RecordSource, take } from "../streams/mapping/record_source.ts";
import { type SourceSettings, withPreset } from "../streams/mapping/source_settings.ts";
import { type Trial, type Tried, tryRecords } from "../streams/mapping/trial.ts";
import { DEFAULT_CONFIG } from "../streams/settings/config_file.ts";
import { renderTable } from "../streams/report/table.ts";
import {
  commandArguments,
  commandName,
  count,
  createCommand,
  print,
  runCommand,
} from "./flags/command_line.ts";
import { followedSources } from "./flags/followed_sources.ts";
import { addLogFlags, type LogFlags } from "./flags/log_flags.ts";
import { decodedText, recordFormat } from "./flags/record_format.ts";
import { openLog } from "./flags/service_flags.ts";
import { registryAt } from "./map/registry.ts";
import { type Sample, sampleOf, topicIn } from "./map/sample.ts";
import { addSources, isBlank } from "./map/write.ts";

/** Most characters of an example: those of a UUID. */
const EXAMPLE_LENGTH = 36;
const RETRY_MS = 10_000;
const FILE_FORMATS = ["csv", "tsv", "avro"] as const;
type FileFormat = (typeof FILE_FORMATS)[number];

interface Flags extends LogFlags {
  readonly try?: readonly string[];
  readonly format?: string;
  readonly records: number;
  readonly show: number;
  readonly registry?: string;
  readonly registryUser?: string;
  readonly preset?: keyof typeof PRESETS;
  readonly write?: true;
}

/** Where records come from, and the source that reads them, if there is one already. */
interface Origin {
  readonly from: string;
  readonly source: RecordSource | undefined;
  /** Opens the log of a topic. @default {that of the flags} */
  readonly open?: (() => Promise<Log>) | undefined;
}

async function main(flags: Flags): Promise<number> {
  if (flags.preset !== undefined) {
    if (!Object.hasOwn(PRESETS, flags.preset)) recordFormat(flags.preset); // names the valid ones
    print(Deno.stdout, `${JSON.stringify(PRESETS[flags.preset], null, 2)}\n`);
    return 0;
  }
  const file = flags.config ?? DEFAULT_CONFIG;
  const config = await isBlank(file, flags.write)
    ? await readConfig(undefined, null)
    : await readConfig(flags.config);
  const origins = originsOf(flags, config);
  const samples: Sample[] = [];
  const given: (Sample & Tried)[] = [];
  for (const origin of origins) {
    const sample = await sampleFor(origin, flags, config);
    samples.push(sample);
    const { source } = origin;
    if (source !== undefined) given.push({ ...sample, source: withColumns(source, sample, config) });
  }
  const tried = given.length > 0 ? given : await suggestedSources(samples, file, flags);
  for (const { source, records } of tried) {
    for (const { bytes } of records) if (bytes !== null) await source.ready?.(bytes);
  }
  const { trials, missing } = tryRecords(tried, knownNames(config), config.allowedLatenessMs);
  for (const [i, trial] of trials.entries()) {
    const { from, source, records } = tried[i]!;
    if (trials.length > 1) print(Deno.stdout, `${i === 0 ? "" : "\n"}${from}\n`);
    const shown = records.slice(0, flags.show).map(async ({ bytes, meta: { key = null } }) => {
      if (bytes === null) return `tombstone of ${JSON.stringify(key)}`;
      return await decodedText(source, bytes) ?? new TextDecoder().decode(bytes);
    });
    tellTrial(trial, await Promise.all(shown), flags);
  }
  for (const sentence of missing) print(Deno.stdout, `missing: ${sentence}\n`);
  return trials.length === origins.length && trials.every(({ counts }) => counts.size > 0) ? 0 : 1;
}

/** The records to try, by the flags; without `--try`, those of all sources that follow a topic. */
function originsOf(flags: Flags, config: Config): readonly Origin[] {
  const source = sourceNamed(flags, config);
  const all: readonly Origin[] = flags.try?.map((from) => ({ from, source })) ??
    (flags.write || source !== undefined ? [] : followedSources(flags, config)
      .map(({ topic, format, open }) => ({ from: `kafka:${topic}`, source: format, open })));
  if (all.length === 0) {
    throw new Error("Cannot try a mapping without records: give --try FILE, or --try kafka:TOPIC");
  }
  if (source !== undefined && all.length > 1) {
    throw new Error(`Cannot try ${all.length} files or topics as one source: omit --format, or give one`);
  }
  return all;
}

async function sampleFor({ from, source, open }: Origin, flags: Flags, config: Config): Promise<Sample> {
  const { registry: url, records } = flags;
  const sample = await sampleOf(
    from,
    {
      format: source?.format ?? formatOfFile(from) ?? "json",
      separator: source?.separator,
      columns: source?.columns,
      isGiven: source !== undefined,
    },
    {
      records,
      registry: url === undefined ? undefined : registryAt(url, flags.registryUser, config),
      open: open ?? (() => openLog({ ...flags, log: FOREIGN_KIND }, { retryMs: RETRY_MS, config })),
    },
  );
  if (sample.records.length === 0) throw new Error(`Cannot try ${from}: it has no records`);
  return sample;
}

/** The source that `--format` names. @throws Error when it cannot be tried */
function sourceNamed({ format, write }: Flags, { sources }: Config): RecordSource | undefined {
  if (format === undefined) return undefined;
  if (write) {
    throw new Error("Cannot write the mapping that --format names: it already exists; omit --write");
  }
  const records = recordFormat(format, sources);
  if (typeof records !== "string") return records;
  throw new Error(
    `Cannot try ${records}: it is built in; name a source of the configuration or a preset, or omit --format`,
  );
}

/** The format by the ending of a file's name. */
function formatOfFile(from: string): FileFormat | undefined {
  const [, ending] = /\.(csv|tsv)(?:\.gz)?$/.exec(from) ?? /\.(avro)$/.exec(from) ?? [];
  return isOneOf(FILE_FORMATS, ending) ? ending : undefined;
}

/** The settings that a suggested source starts from: how its records are read. */
function baseOf({ from, columns, separator, registry }: Sample): SourceSettings {
  if (registry !== undefined) return { format: "registry", registry };
  const format = formatOfFile(from);
  return format === undefined ? {} : { format, ...(columns && { columns }), ...(separator && { separator }) };
}

/** Gives a source of rows whose settings name no columns those of the file. */
function withColumns(
  source: RecordSource,
  { columns, separator }: Sample,
  { sources }: Config,
): RecordSource {
  if (source.columns !== undefined || columns === undefined) return source;
  return compileSource(source.name, { ...withPreset(sources?.[source.name] ?? {}), columns, separator });
}

/** Sources by suggested mappings, which `--write` puts into the configuration; without those for which there is none. */
async function suggestedSources(
  samples: readonly Sample[],
  file: string,
  flags: Flags,
): Promise<readonly (Sample & Tried)[]> {
  const found = suggestions(samples);
  if (found.length === 0) return [];
  const all = Object.fromEntries(found.map(({ name, settings }) => [name, settings]));
  print(Deno.stdout, "A possible mapping, for meander.json:\n\n");
  print(Deno.stdout, `${JSON.stringify({ sources: all }, null, 2)}\n\n`);
  const open = found.flatMap(({ name, open }) =>
    open.map((sentence) => `open: ${samples.length > 1 ? `${name}: ` : ""}${sentence}\n`)
  );
  if (open.length > 0) print(Deno.stdout, `${open.join("")}\n`);
  if (flags.write) {
    await addSources(file, all);
    print(Deno.stdout, `written to ${file}\n\n`);
  }
  return found.map(({ name, settings, sample }) => {
    const source = compileSource(name, { ...baseOf(sample), ...settings }, {
      env: (name) => Deno.env.get(name),
    });
    return { ...sample, source };
  });
}

/** A mapping that may fit a sample. */
interface Suggested {
  readonly name: string;
  readonly settings: SourceSettings;
  readonly open: readonly string[];
  readonly sample: Sample;
}

/** Prints the fields of the records, and finds mappings that may fit. */
function suggestions(samples: readonly Sample[]): readonly Suggested[] {
  const surveyed = samples.map((sample) => {
    const { from, values } = sample;
    const topic = topicIn(from);
    const name = topic ?? (from.replace(/^.*[/\\]/, "").replace(/\..*$/, "") || "mine");
    return { name, topic, sample, preset: presetOf(sample), values, isKeyed: topic !== undefined };
  });
  const unknown = surveyed.filter(({ preset }) => preset === undefined);
  const byRules = suggestTogether(unknown);
  return surveyed.flatMap((one) => {
    const { name, topic, sample, preset, values } = one;
    const { mapping, open } = preset === undefined ? byRules[unknown.indexOf(one)]! : {
      mapping: { preset },
      open: [`these look like records of ${preset}; your own rules take precedence over its rules`],
    };
    const { from, unread } = sample;
    print(
      Deno.stdout,
      `${from}: ${sample.records.length} records\n\n${fieldTable(survey(values), values.length)}\n`,
    );
    if (preset === undefined && unread.length > 0) {
      print(Deno.stdout, `${unread.length} of them cannot be read; the first: ${unread[0]}\n\n`);
    }
    const { columns: _, separator: _found, ...format } = baseOf(sample);
    const settings: SourceSettings = { ...format, ...mapping, ...(topic && { follow: { topic } }) };
    if (preset !== undefined || (settings.rules ?? []).length > 0) return [{ name, settings, open, sample }];
    const why = values.length === 0 ? "no record could be read" : open.join("; ");
    print(Deno.stdout, `no mapping could be suggested: ${why}\n`);
    return [];
  });
}

/** The preset that can read most of the records. */
function presetOf({ records, values, registry }: Sample): PresetName | undefined {
  return PRESET_NAMES.find((preset) => {
    const source = compileSource(preset, { preset });
    const outcomes = registry !== undefined
      ? values.map((value) => source.map(value, {}))
      : records.map(({ bytes, meta }) => take(source, bytes, meta));
    const taken = outcomes.filter(({ ok }) => ok);
    return taken.length > outcomes.length / 2 && taken.some((own) => own.ok && own.records.length > 0);
  });
}

function fieldTable(fields: readonly SurveyedField[], records: number): string {
  return renderTable(
    [{ title: "field" }, { title: "of records", align: "right" }, { title: "values" }],
    fields.slice(0, 100).map((field) => {
      const { path, types, values, hasMore } = field;
      const examples = [...values.keys()].slice(0, 4).map((value) =>
        value.slice(0, EXAMPLE_LENGTH).replaceAll(/\s/g, " ")
      )
        .join(", ");
      const different = values.size === 0
        ? ""
        : `, ${values.size}${hasMore ? "+" : ""} different: ${examples}`;
      return [
        path,
        `${Math.round(field.records / records * 100)} %`,
        `${types.join(", ")}${different}`,
      ];
    }),
  );
}

function tellTrial(trial: Trial, texts: readonly string[], { show }: Flags): void {
  for (const [i, outcome] of trial.outcomes.slice(0, show).entries()) {
    print(Deno.stdout, `${i + 1}  ${texts[i]!.slice(0, 300)}\n`);
    if (!outcome.ok) print(Deno.stdout, `   rejected (${outcome.code}): ${outcome.reason}\n`);
    else if (outcome.records.length === 0) print(Deno.stdout, "   nothing\n");
    for (const own of outcome.ok ? outcome.records : []) {
      const what = own.kind === "event" ? own.event : own.item;
      const word = own.kind === "event" ? "" : own.isRemoved ? "removal " : "item ";
      print(Deno.stdout, `   -> ${word}${JSON.stringify(what).slice(0, 300)}\n`);
    }
    for (const { code, reason } of outcome.ok ? outcome.rejected ?? [] : []) {
      print(Deno.stdout, `   rejected (${code}): ${reason}\n`);
    }
  }
  const alike = Map.groupBy(trial.rejected, ({ reason }) => reason.replace(/: current value is .*/s, ""));
  const count = (rejected: readonly Rejected[]) =>
    rejected.reduce((sum, { entries }) => sum + (entries?.length ?? 1), 0);
  const made = Array.from(trial.counts, ([what, n]) => `${n} ${what}, `).join("");
  print(
    Deno.stdout,
    `\n${trial.outcomes.length} records: ${made}${trial.nothing} nothing, ${
      count(trial.rejected)
    } rejected\n`,
  );
  for (const group of [...alike.values()].toSorted((a, b) => count(b) - count(a)).slice(0, 10)) {
    print(Deno.stdout, `rejected ${count(group)}: ${group[0]!.reason}\n`);
  }
}

const program = addLogFlags(
  createCommand(commandName("map")).description(
    "Try mappings on the first records of files or topics, or suggest some.",
  ),
)
  .option(
    "--try <from...>",
    "files, or kafka:TOPIC, to read the first records of (default: the topics that sources follow)",
  )
  .option("--format <name>", "source of the configuration, or preset; without it, a mapping is suggested")
  .option(
    "--registry <url>",
    "for topics without --format: the schema registry of records that name a schema",
  )
  .option(
    "--registry-user <name>",
    "user name for the registry; the password is in MEANDER_REGISTRY_PASSWORD",
  )
  .option("--records <n>", "records to read", count, 1000)
  .option("--show <n>", "records to show one by one", count, 5)
  .option("--write", "put the suggested mapping into the configuration")
  .option("--preset <name>", "print a preset as a starting point")
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.opts<Flags>()));
