/**
 * `deno task meander -- map`: shows the first records of a file or a topic, the events and items that a mapping makes
 * of them, and what is missing; without a mapping, it suggests one.
 *
 *     deno task meander -- map --try clicks.jsonl
 *     deno task meander -- map --try kafka:clicks --format clicks
 *
 * @module
 */

import type { Rejected } from "../src/events/rejected.ts";
import { suggest } from "../src/mapping/suggestions/suggestion.ts";
import { survey, type SurveyedField } from "../src/mapping/suggestions/survey.ts";
import { isOneOf } from "../src/values/one_of.ts";
import { type Config, knownNames } from "../streams/config/config.ts";
import { readConfig } from "../streams/config/read.ts";
import type { RegistrySettings } from "../streams/formats/registry_settings.ts";
import { PRESET_NAMES, type PresetName, PRESETS } from "../streams/mapping/presets.ts";
import { compileSource, type RecordSource, take } from "../streams/mapping/record_source.ts";
import { type SourceSettings, withPreset } from "../streams/mapping/source_settings.ts";
import { type Trial, tryRecords } from "../streams/mapping/trial.ts";
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
import { addLogFlags, type LogFlags } from "./flags/log_flags.ts";
import { decodedText, recordFormat } from "./flags/record_format.ts";
import { registryAt } from "./map/registry.ts";
import { type Sample, sampleOf } from "./map/sample.ts";
import { addSource, isBlank } from "./map/write.ts";

/** Most characters of an example: those of a UUID. */
const EXAMPLE_LENGTH = 36;
const FILE_FORMATS = ["csv", "tsv", "avro"] as const;
type FileFormat = (typeof FILE_FORMATS)[number];

interface Flags extends LogFlags {
  readonly try?: string;
  readonly format?: string;
  readonly records: number;
  readonly show: number;
  readonly registry?: string;
  readonly registryUser?: string;
  readonly preset?: keyof typeof PRESETS;
  readonly write?: true;
}

async function main(flags: Flags): Promise<number> {
  if (flags.preset !== undefined) {
    if (!Object.hasOwn(PRESETS, flags.preset)) recordFormat(flags.preset); // names the valid ones
    print(Deno.stdout, `${JSON.stringify(PRESETS[flags.preset], null, 2)}\n`);
    return 0;
  }
  if (flags.try === undefined) {
    throw new Error("Cannot try a mapping without records: give --try FILE, or --try kafka:TOPIC");
  }
  const file = flags.config ?? DEFAULT_CONFIG;
  const config = await isBlank(file, flags.write)
    ? await readConfig(undefined, null)
    : await readConfig(flags.config);
  const named = sourceNamed(flags, config);
  const registry = flags.registry === undefined
    ? undefined
    : registryAt(flags.registry, flags.registryUser, config);
  const ofFile = formatOfFile(flags.try);
  const format = registry === undefined ? named?.format ?? ofFile ?? "json" : "registry";
  const sample = await sampleOf(
    flags.try,
    { format, separator: named?.separator, columns: named?.columns, isGiven: named !== undefined },
    { ...flags, registry },
  );
  if (sample.records.length === 0) throw new Error(`Cannot try ${flags.try}: it has no records`);
  const source = named === undefined
    ? await suggestedSource(sample, baseOf(registry, ofFile, sample), file, flags)
    : withColumns(named, sample, config);
  if (source === undefined) return 1;
  for (const { bytes } of sample.records) if (bytes !== null) await source.ready?.(bytes);
  const trial = tryRecords(source, sample.records, knownNames(config), config.allowedLatenessMs);
  const shown = sample.records.slice(0, flags.show).map(async ({ bytes, meta: { key = null } }) => {
    if (bytes === null) return `tombstone of ${JSON.stringify(key)}`;
    return await decodedText(source, bytes) ?? new TextDecoder().decode(bytes);
  });
  tellTrial(trial, await Promise.all(shown), flags);
  return trial.counts.size === 0 ? 1 : 0;
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
function baseOf(
  registry: RegistrySettings | undefined,
  format: FileFormat | undefined,
  { columns, separator }: Sample,
): SourceSettings {
  if (registry !== undefined) return { format: "registry", registry };
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

/** The source of a suggested mapping, which `--write` puts into the configuration; `undefined` if there is none. */
async function suggestedSource(
  sample: Sample,
  base: SourceSettings,
  file: string,
  flags: Flags,
): Promise<RecordSource | undefined> {
  const suggested = suggestion(sample, base, flags);
  if (suggested === undefined) return undefined;
  const { name, settings } = suggested;
  const source = compileSource(name, { ...base, ...settings }, { env: (name) => Deno.env.get(name) });
  if (flags.write) {
    await addSource(file, name, settings);
    print(Deno.stdout, `written to ${file}\n\n`);
  }
  return source;
}

/** Prints the fields of the records, and a mapping that may fit. */
function suggestion(
  sample: Sample,
  base: SourceSettings,
  { try: from = "" }: Flags,
): { readonly name: string; readonly settings: SourceSettings } | undefined {
  const { values, records } = sample;
  const preset = presetOf(sample, base);
  const fields = survey(values);
  print(Deno.stdout, `${from}: ${records.length} records\n\n${fieldTable(fields, values.length)}\n`);
  const topic = /^kafka:(.+)$/.exec(from)?.[1];
  const { mapping, open } = preset === undefined ? suggest(fields, values.length, topic !== undefined) : {
    mapping: { preset },
    open: [`these look like records of ${preset}; your own rules take precedence over its rules`],
  };
  const { unread } = sample;
  if (preset === undefined && unread.length > 0) {
    print(Deno.stdout, `${unread.length} of them cannot be read; the first: ${unread[0]}\n\n`);
  }
  const { columns: _, separator: _found, ...format } = base;
  const name = topic ?? (from.replace(/^.*[/\\]/, "").replace(/\..*$/, "") || "mine");
  const settings: SourceSettings = { ...format, ...mapping, ...(topic && { follow: { topic } }) };
  if (preset === undefined && (settings.rules ?? []).length === 0) {
    const why = values.length === 0 ? "no record could be read" : open.join("; ");
    print(Deno.stdout, `no mapping could be suggested: ${why}\n`);
    return undefined;
  }
  print(Deno.stdout, "A possible mapping, for meander.json:\n\n");
  print(Deno.stdout, `${JSON.stringify({ sources: { [name]: settings } }, null, 2)}\n\n`);
  for (const sentence of open) print(Deno.stdout, `open: ${sentence}\n`);
  if (open.length > 0) print(Deno.stdout, "\n");
  return { name, settings };
}

/** The preset that can read most of the records. */
function presetOf({ records, values }: Sample, { format }: SourceSettings): PresetName | undefined {
  return PRESET_NAMES.find((preset) => {
    const source = compileSource(preset, { preset });
    const outcomes = format === "registry"
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
  for (const sentence of trial.missing) print(Deno.stdout, `missing: ${sentence}\n`);
}

const program = addLogFlags(
  createCommand(commandName("map")).description(
    "Tries a mapping on the first records of a file or a topic, or suggests one.",
  ),
)
  .option("--try <from>", "file, or kafka:TOPIC, to read the first records of")
  .option("--format <name>", "source of the configuration, or preset; without it, a mapping is suggested")
  .option("--registry <url>", "for a topic without --format: the schema registry of its records")
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
