/**
 * The permissions of the thread of a service: no more than its flags and its configuration need; and of the threads
 * that it starts.
 */

import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DEFAULT_CONFIG } from "../../streams/settings/config_file.ts";
import { FOREIGN_KIND } from "../../streams/log/kinds/kinds.ts";
import type { LogNeeds } from "../../streams/log/kind.ts";
import { chosenLog } from "../flags/log_flags.ts";
import { addressOf, type Flags, hostAndPort, SNAPSHOTS } from "./flags.ts";

const CODE = fileURLToPath(new URL("../../", import.meta.url));

/**
 * The permissions of a service.
 *
 * If its log is a file, it listens at one address, and writes to the folder of that file. If it is on brokers, or
 * sources follow topics, it has the network access of the process, as brokers name others, and may load codecs as
 * libraries; it writes snapshots and the notes of members. Schema registries also need that network access. It reads
 * what it writes, the configuration with the files named there, and code, for its threads. It executes nothing.
 */
export async function permissionsOf(flags: Flags): Promise<Deno.PermissionOptionsObject> {
  const { config = DEFAULT_CONFIG, snapshots = SNAPSHOTS, members, archive = [] } = flags;
  const { kind, settings } = await logOf(flags);
  const { indexesKeys, isShared } = kind.capabilities;
  const { net, ffi, reads } = await names(config, "follow")
    ? await needsOf({ ...flags, log: FOREIGN_KIND })
    : kind.needsOf(settings);
  const registryFiles = await names(config, "registry") ? await filesOfRegistries(flags.config) : undefined;
  const file = kind.fileOf(settings);
  const write = [
    ...(file === null ? [] : [dirname(file), dirname(await targetOf(file))]), // the first may have to be created
    ...(indexesKeys || snapshots === false ? [] : [snapshots]),
    ...(isShared ? [members] : []),
  ];
  const address = addressOf(flags);
  const written = await withTargets(write);
  return {
    env: "inherit",
    ffi: ffi && "inherit",
    net: net || registryFiles !== undefined
      ? "inherit"
      : address === undefined
      ? false
      : [hostAndPort(address)],
    read: [...await withTargets([CODE, config, ...archive, ...reads, ...registryFiles ?? []]), ...written],
    run: false,
    sys: "inherit",
    write: written,
  };
}

/** Whether the text of a configuration contains a name: the code that reads settings is large. */
async function names(config: string, name: "follow" | "registry"): Promise<boolean> {
  const given = ["MEANDER_SOURCES", "MEANDER_OUTPUTS"].map((variable) => Deno.env.get(variable));
  const texts = [...given, await Deno.readTextFile(config).catch(() => undefined)];
  return texts.some((text) => text?.includes(`"${name}"`));
}

/** Folders of the certificates for schema registries: the folders, since certificates are renewed. */
async function filesOfRegistries(file: string | undefined): Promise<readonly string[]> {
  const { readConfig } = await import("../../streams/config/read.ts");
  const { outputs, sources = {} } = await readConfig(file);
  return [outputs, ...Object.values(sources)].flatMap((own) => {
    const { caFile, certFile, keyFile } = own?.registry?.tls ?? {};
    return [caFile, certFile, keyFile].flatMap((path) =>
      path === undefined ? [] : path.includes("/") ? dirname(path) : path
    );
  });
}

async function needsOf(flags: Flags): Promise<LogNeeds> {
  const { kind, settings } = await logOf(flags);
  return kind.needsOf(settings);
}

async function logOf(flags: Flags): Promise<ReturnType<typeof chosenLog>> {
  const unconfigured = chosenLog(flags, {});
  if (unconfigured.kind.section === null) return unconfigured;
  // Loaded lazily: the code that reads settings is large.
  const { readConfig } = await import("../../streams/config/read.ts");
  return chosenLog(flags, await readConfig(flags.config));
}

/** Paths with the targets of their links, since files are opened by either name. */
async function withTargets(paths: readonly string[]): Promise<string[]> {
  const all = new Map<string, string>();
  for (const path of paths) {
    for (const name of [path, await targetOf(path)]) {
      if (!all.has(resolve(name))) all.set(resolve(name), name);
    }
  }
  return [...all.values()];
}

/** The target of a path, which need not exist yet. */
async function targetOf(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch { // it does not exist yet, or may not be read: its folder decides
    const full = resolve(path);
    const folder = dirname(full);
    return folder === full ? full : join(await targetOf(folder), basename(full));
  }
}

/** Permissions of a thread; kinds that the process itself has only in part are inherited as they are. */
export async function granted(wanted: Deno.PermissionOptionsObject): Promise<Deno.PermissionOptionsObject> {
  const permissions = { ...wanted };
  for (const name of ["net", "read", "write"] as const) {
    const { state } = await Deno.permissions.query({ name });
    if (state !== "granted" && permissions[name] !== false) permissions[name] = "inherit";
  }
  return permissions;
}

/** The permissions of the service's thread. A kind that is not named would be denied. */
const INHERITED: Deno.PermissionOptionsObject = {
  env: "inherit",
  ffi: "inherit",
  net: "inherit",
  read: "inherit",
  run: "inherit",
  sys: "inherit",
  write: "inherit",
};

/**
 * Permissions of a learner or a rebuild: it opens a shared log itself, and writes no files but snapshots.
 *
 * @param reads files and folders that it reads
 */
export function workerPermissions(
  { isShared }: { readonly isShared: boolean },
  { hasSnapshots = false, reads = [] }: {
    readonly hasSnapshots?: boolean;
    readonly reads?: readonly string[] | undefined;
  } = {},
): Deno.PermissionOptions {
  return isShared
    ? { ...INHERITED, write: hasSnapshots ? "inherit" : false }
    : { sys: "inherit", read: reads.length > 0 && [CODE, ...reads] }; // the code that reads them is loaded when needed
}
