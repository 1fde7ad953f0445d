/** The flags of commands on a log: where it is and how it is reached, as the kinds of logs declare. */

import { type Command, Option as Flag } from "commander";
import type { Declared, Option } from "../../src/options/option.ts";
import { fieldOf } from "../../src/values/record.ts";
import type { Config } from "../../streams/config/config.ts";
import type { LogKind, LogSettings } from "../../streams/log/kind.ts";
import { kindOf, LOG_KINDS } from "../../streams/log/kinds/kinds.ts";
import { withOverrides } from "../../streams/settings/config_environment.ts";
import { DEFAULT_PREFIX } from "../../streams/topics/topics.ts";
import { LOG_HEADING } from "./command_line.ts";
import { optionFlag } from "./option_flags.ts";

/** Which log a command works on; the flags of its kind come in addition. */
export interface LogFlags {
  readonly log: string;
  readonly prefix: string;
  readonly config?: string;
}

/** Kinds whose logs outlive a command. */
export const DURABLE_KINDS: readonly LogKind[] = LOG_KINDS.filter(({ capabilities }) =>
  capabilities.isDurable
);

/** How a command that has its own log names it. */
export interface LogFlagOptions {
  /** What `--log` means. @default {"log to run on"} */
  readonly about?: string;
  /** The command's own default places, by name. @default {those of the kinds} */
  readonly places?: Readonly<Record<string, string>>;
}

/** Adds `--log` for some kinds of logs, the first of which is the default, and their flags. */
export function addLogKinds(
  command: Command,
  kinds: readonly LogKind[],
  { about = "log to run on", places = {} }: LogFlagOptions = {},
): Command {
  const names = kinds.map(({ kind }) => kind);
  command.addOption(new Flag("--log <kind>", about).choices(names).default(names[0]).helpGroup(LOG_HEADING));
  for (const kind of kinds) {
    for (const [path, help] of flagsOf(kind)) {
      const option = optionAt({ ...kind.places, ...kind.options }, path);
      const own = places[path];
      const flag = optionFlag(
        path,
        own === undefined ? option : { ...option, value: undefined },
        help ?? undefined,
      );
      command.addOption((own === undefined ? flag : flag.default(own)).helpGroup(LOG_HEADING));
    }
  }
  return command;
}

export function addLogFlags(command: Command, kinds: readonly LogKind[] = DURABLE_KINDS): Command {
  return addLogKinds(command, kinds)
    .addOption(
      new Flag("--prefix <text>", "prefix of the topics' names").default(DEFAULT_PREFIX).helpGroup(
        LOG_HEADING,
      ),
    )
    .addOption(
      new Flag(
        "--config <file>",
        "overrides of any default, as JSON (default: meander.json, if there is one)",
      )
        .helpGroup(LOG_HEADING),
    );
}

/** The settings of a kind: those of a configuration, overridden by flags. */
export function logSettings(kind: LogKind, flags: object, config: Config): LogSettings {
  // A kind names its keys at run time, so no type lists them.
  const all = config as unknown as Readonly<Record<string, unknown>>;
  const configured = kind.section === null
    ? Object.fromEntries(Object.keys(kind.options).map((name) => [name, all[name]]))
    : all[kind.section] ?? {};
  const given = flagsOf(kind).flatMap(([path]) => {
    const value = fieldOf(flags, attributeOf(path));
    return value === undefined ? [] : [{ path: path.split("."), variable: "", value }];
  });
  // A switch that is on with options keeps them: the flag only turns it on.
  const overrides = given.filter(({ path, value }) =>
    !(value === true && typeof fieldOf(configured, path[0] ?? "") === "object")
  );
  return withOverrides(configured, overrides) as LogSettings; // opening the log checks them
}

/** The kind that flags name, with its settings. */
export function chosenLog(
  flags: LogFlags,
  config: Config,
  kinds: readonly LogKind[] = LOG_KINDS,
): { readonly kind: LogKind; readonly settings: LogSettings } {
  const kind = kindOf(flags.log, kinds);
  return { kind, settings: logSettings(kind, flags, config) };
}

/** The place of a log, for people. */
export function placeOf(flags: LogFlags, config: Config = {}): string {
  const { kind, settings } = chosenLog(flags, config);
  return kind.placeOf(settings);
}

/** Checks that a log in a file exists, which opening would create. */
export async function mustExist(flags: LogFlags): Promise<void> {
  const { kind, settings } = chosenLog(flags, {});
  const file = kind.fileOf(settings);
  if (file === null) return;
  await Deno.stat(file).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`Cannot use the log ${file}: there is no such file; name another with --log-path`);
  });
}

/** Refuses a place that is given for another kind of log than the chosen one. */
export function checkPlaces(command: Command, { log }: LogFlags): void {
  for (const { kind, places } of LOG_KINDS) {
    for (const name of Object.keys(places)) {
      if (kind === log || command.getOptionValueSource(name) !== "cli") continue;
      const place: unknown = command.getOptionValue(name);
      throw new Error(`Cannot keep the log in ${place}: --log is ${log}, not ${kind}`);
    }
  }
}

/** Paths of the options that are flags, with their own help. */
function flagsOf({ places, flags }: LogKind): readonly (readonly [path: string, help: string | null])[] {
  return [...Object.keys(places).map((path) => [path, null] as const), ...Object.entries(flags)];
}

/** The option at a path such as `tls.caFile`. */
function optionAt(declared: Declared, path: string): Option<unknown> {
  const [name = "", ...rest] = path.split(".");
  const option = declared[name];
  if (option === undefined) throw new TypeError(`Cannot make a flag of ${path}: there is no such option`);
  if (rest.length === 0) return option;
  const { kind } = option;
  return optionAt(kind.kind === "group" || kind.kind === "switch" ? kind.of : {}, rest.join("."));
}

/** The name under which commander stores the value of a flag: `tls.caFile` is `tlsCaFile`. */
function attributeOf(path: string): string {
  return path.replaceAll(/\.(\w)/g, (_, letter: string) => letter.toUpperCase());
}
