/**
 * What the thread of a service may do: no more than its flags and its configuration need.
 *
 * @module
 */

import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DEFAULT_CONFIG } from "../../streams/settings/config_file.ts";
import { addressOf, type Flags, hostAndPort, SNAPSHOTS } from "./flags.ts";

/** By this file libraries tell which C library the machine has, so which of their builds to load. */
const LDD = "/usr/bin/ldd";
const CODE = fileURLToPath(new URL("../../", import.meta.url));

/**
 * The permissions of a service.
 *
 * On SQLite it listens at one address, and writes the folder of its log. On Kafka brokers tell the names of others, so
 * the network stays as the process has it, and codecs are libraries; what is written are snapshots and the notes of
 * members. It reads what it writes, the configuration with the files that this names, and code, for its threads. Nothing
 * is executed.
 */
export async function permissionsOf(flags: Flags): Promise<Deno.PermissionOptionsObject> {
  const { config = DEFAULT_CONFIG } = flags;
  const { net, ffi, write, reads } = await (flags.log === "sqlite" ? onSqlite(flags) : onKafka(flags));
  const written = await withTargets(write);
  const read = [...await withTargets([CODE, config, ...reads]), ...written];
  return { env: "inherit", ffi, net, read, run: false, sys: "inherit", write: written };
}

interface Places {
  readonly net: string[] | "inherit" | false;
  readonly ffi: "inherit" | false;
  readonly write: readonly string[];
  readonly reads: readonly string[];
}

async function onSqlite(flags: Flags): Promise<Places> {
  const address = addressOf(flags);
  return {
    net: address === undefined ? false : [hostAndPort(address)],
    ffi: false,
    write: [dirname(flags.logPath), dirname(await targetOf(flags.logPath))], // the first is made
    reads: [],
  };
}

async function onKafka(flags: Flags): Promise<Places> {
  const { snapshots = SNAPSHOTS, members } = flags;
  // Only here: what reads settings is large.
  const { readConfig } = await import("../../streams/config/read.ts");
  const { kafkaFiles } = await import("../flags/service_flags.ts");
  return {
    net: "inherit",
    ffi: "inherit",
    write: snapshots === false ? [members] : [snapshots, members],
    reads: [LDD, ...kafkaFiles(flags, await readConfig(flags.config))],
  };
}

/** Paths, and where links lead that are in them: files are opened by either name. */
async function withTargets(paths: readonly string[]): Promise<string[]> {
  const all = new Map<string, string>();
  for (const path of paths) {
    for (const name of [path, await targetOf(path)]) {
      if (!all.has(resolve(name))) all.set(resolve(name), name);
    }
  }
  return [...all.values()];
}

/** Where a path leads, which need not exist yet. */
async function targetOf(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    const full = resolve(path);
    const folder = dirname(full);
    return folder === full ? full : join(await targetOf(folder), basename(full));
  }
}

/** Permissions of a thread, but for kinds that its process has been given a part of: they stay as they are. */
export async function granted(wanted: Deno.PermissionOptionsObject): Promise<Deno.PermissionOptionsObject> {
  const permissions = { ...wanted };
  for (const name of ["net", "read", "write"] as const) {
    const { state } = await Deno.permissions.query({ name });
    if (state !== "granted" && permissions[name] !== false) permissions[name] = "inherit";
  }
  return permissions;
}
