/** Settings of `run` from flags, configuration and environment, checked before anything is opened. */

import { dirname } from "node:path";
import { getLogger, type LogLevel } from "@logtape/logtape";
import { NameCheck } from "../../src/mapping/name_check.ts";
import { kindOf as modelKindOf } from "../../src/nn/models/registry.ts";
import { type Config, knownNames, modelConfig } from "../../streams/config/config.ts";
import { readConfig } from "../../streams/config/read.ts";
import type { ApiKey } from "../../streams/http/contract/access.ts";
import { KEY_VARIABLE, keysOf } from "../../streams/http/contract/settings.ts";
import type { LogKind } from "../../streams/log/kind.ts";
import type { FollowedSource } from "../../streams/service/jobs/sources_job.ts";
import { type Role, ROLES, type ServiceOptions } from "../../streams/service/jobs/options.ts";
import { DELIVERY, type Delivery } from "../../streams/topics/delivery.ts";
import { followedSources } from "../flags/followed_sources.ts";
import { chosenLog } from "../flags/log_flags.ts";
import { type Address, addressOf, type Flags, SNAPSHOTS } from "./flags.ts";

const logger = getLogger(["meander", "run"]);

export interface RunSettings {
  readonly flags: Flags;
  readonly config: Config;
  readonly kind: LogKind;
  /** Its roles besides HTTP. */
  readonly roles: readonly Role[];
  /** Where it listens. */
  readonly http: Address | undefined;
  /** Keys for calling it; empty = open to all callers. */
  readonly keys: readonly ApiKey[];
  /** Topics of other systems that it reads. */
  readonly sources: readonly FollowedSource[];
  readonly delivery: Delivery;
  readonly snapshots: ServiceOptions["snapshots"];
  /** Folder that it writes to: that of its log, or that of its snapshots. */
  readonly folder: string;
}

/** Reads and checks the settings. @throws Error when they contradict each other */
export async function readSettings(flags: Flags): Promise<RunSettings> {
  const config = await readConfig(flags.config);
  const { kind, settings } = chosenLog(flags, config);
  const { roles = ROLES, snapshots: folder } = flags;
  const http = addressOf(flags);
  if (flags.rebuild && !(roles.includes("task") && roles.includes("learner"))) {
    throw new Error("Cannot rebuild in this process: it needs the roles task and learner");
  }
  const file = kind.fileOf(settings);
  const given = {
    flags,
    config,
    kind,
    http,
    roles: roles.filter((role) => role !== "http"),
    keys: http === undefined ? [] : keysOf(config.http ?? {}, Deno.env.get(KEY_VARIABLE)),
    sources: sourcesOf(flags, config),
    delivery: flags.delivery ?? config.delivery ?? DELIVERY.value,
    snapshots: snapshotsOf(flags, kind),
    folder: file !== null ? dirname(file) : typeof folder === "string" ? folder : SNAPSHOTS,
  };
  for (const model of new Set([flags.model, ...flags.variantModels ?? []])) {
    const remarks = modelKindOf(model).remarks?.(modelConfig(model, config)) ?? [];
    for (const remark of remarks) logger.warn("{remark}", { remark });
  }
  return given;
}

/** The level of messages. @throws Error when two are given */
export function levelOf({ verbose, quiet }: Flags): LogLevel {
  if (verbose && quiet) throw new Error("Cannot use --verbose with --quiet: omit one of the two");
  return verbose ? "debug" : quiet ? "warning" : "info";
}

/** Topics to read; unknown attributes are reported once each. */
function sourcesOf(flags: Flags, config: Config): readonly FollowedSource[] {
  const names = new NameCheck(knownNames(config));
  return followedSources(flags, config, (record) => {
    for (const warning of names.see(record)) logger.warn("{warning}", { warning });
  });
}

/** Local snapshots. A log that indexes its keys needs none. */
function snapshotsOf(
  { snapshots, snapshotInterval }: Flags,
  { capabilities: { indexesKeys } }: LogKind,
): ServiceOptions["snapshots"] {
  if (indexesKeys && typeof snapshots === "string") {
    throw new Error(
      "Cannot keep snapshots with a SQLite log: it is restored from its own file; omit --snapshots",
    );
  }
  if (indexesKeys || snapshots === false) return undefined;
  return { folder: snapshots ?? SNAPSHOTS, intervalMs: snapshotInterval * 1000 };
}
