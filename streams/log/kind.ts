/**
 * A kind of log: how it is opened, what it can do, and its options. The configuration with its page and schema, flags,
 * permissions and `check` derive from this declaration, so a new log takes a folder, a line in `kinds/kinds.ts` and a
 * run of the contract suite.
 */

import type { Declared } from "../../src/options/option.ts";
import type { LogCapabilities } from "./capabilities.ts";
import type { Log, ReadableLog } from "./log.ts";
import type { TopicExtent } from "./reading.ts";

/** Settings of a log by name, merged from configuration and flags. */
export type LogSettings = Readonly<Record<string, unknown>>;

/** Reads the files and environment variables that settings name. */
export interface SettingsReader {
  /** The text of a file. */
  readonly readFile: (path: string) => Promise<string>;
  /** An environment variable. */
  readonly env: (name: string) => string | undefined;
}

/** What a command provides in addition to the settings. */
export interface OpenContext extends SettingsReader {
  /** How long to wait for an unreachable log unless the settings say, milliseconds. @default {the log's own} */
  readonly retryMs?: number | undefined;
  /** Folder in which processes of this machine register. @default {none} */
  readonly membersFolder?: string | undefined;
}

/** Permissions that a process needs to open the log, in addition to those for its file. */
export interface LogNeeds {
  /** Whether it connects to other machines. */
  readonly net: boolean;
  /** Whether it loads native libraries. */
  readonly ffi: boolean;
  /** Files that it reads. */
  readonly reads: readonly string[];
}

/** A kind of log. `Settings` are those that its options declare. */
export interface LogKind<Settings = LogSettings> {
  /** Its name, in `--log` and in {@linkcode Log.address}. */
  readonly kind: string;
  /** The section of the configuration that holds its options; `null` = they are at its top level. */
  readonly section: string | null;
  readonly options: Declared;
  /** Options that only flags can set: where the log is. */
  readonly places: Declared;
  /** Options that are also flags, by path such as `tls.caFile`; a value other than `null` replaces their help. */
  readonly flags: Readonly<Record<string, string | null>>;
  /** What its logs can do. */
  readonly capabilities: LogCapabilities;
  /** Default number of partitions of a new deployment. */
  readonly partitions: number;
  /** Time between commits while an answer waits, milliseconds; longer if a commit costs more. */
  readonly answerIntervalMs: number;
  /** The file that holds it, created on opening; `null` = it is not in a file. */
  fileOf(settings: Settings): string | null;
  /** Where it is, for messages. */
  placeOf(settings: Settings): string;
  /** Permissions that opening it needs, in addition to those for its file. */
  needsOf(settings: Settings): LogNeeds;
  /** Options for {@linkcode LogKind.open}, which can be cloned; reads the files and variables that settings name. */
  resolve(settings: Settings, context: OpenContext): Promise<unknown>;
  /** Opens a log. @param options as {@linkcode LogKind.resolve} returns them */
  open(options: unknown): Promise<Log>;
  /** Opens a log that another process may have open. Only logs with one owner need it. @default {as open} */
  openToRead?(options: unknown): Promise<ReadableLog>;
  /** How a log is copied as a whole, with offsets and identities. Only logs in files have it. */
  readonly copies?: LogCopies;
}

/** Copies of a log that is a file. */
export interface LogCopies {
  /** Names of the files of a copy. */
  readonly files: readonly string[];
  /**
   * Copies a log as of one moment into a folder, checks the copy, and leaves nothing else there. Another process may
   * keep using the log.
   *
   * @param options as {@linkcode LogKind.resolve} returns them
   * @returns The topics in the copy
   * @throws LogError `corrupt` when the log or the copy is damaged
   */
  copy(options: unknown, folder: string, tell: CopyProgress): Promise<readonly TopicExtent[]>;
  /**
   * Restores a copy to where there is no log yet.
   *
   * @throws Error when there is one; LogError `corrupt` when the copy is damaged or in a format that is not supported
   */
  putBack(folder: string, options: unknown): Promise<void>;
  openToRead(folder: string): Promise<ReadableLog>;
  /** The folder that {@linkcode LogCopies.putBack} writes to. */
  folderOf(options: unknown): string;
}

/** Receives the progress of a copy: bytes or offsets done, and their total. */
export type CopyProgress = (done: number, all: number) => void;

/** Needs of a log in this process or in a file. */
export const NO_NEEDS: LogNeeds = { net: false, ffi: false, reads: [] };
