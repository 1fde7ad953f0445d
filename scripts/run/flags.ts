/** The flags of `deno task run`. */

import { STEP_OPTIONS } from "../../streams/task/options.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import type { Role } from "../../streams/service/jobs/options.ts";
import type { Delivery } from "../../streams/topics/delivery.ts";
import type { LogFlags } from "../flags/log_flags.ts";

/** A place to listen. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
}

export interface Flags extends LogFlags {
  readonly roles?: readonly (Role | "http")[];
  readonly http?: Address;
  readonly verbose?: true;
  readonly quiet?: true;
  readonly partitions?: number;
  readonly model: ModelName;
  readonly variantModels?: readonly ModelName[];
  readonly memory?: number;
  readonly seed: number;
  readonly commitInterval?: number;
  readonly snapshots?: string | false;
  readonly snapshotInterval: number;
  readonly serveVersion?: number;
  readonly members: string;
  readonly delivery?: Delivery;
  readonly rebuild?: true;
  readonly rollBack?: true;
  readonly rebuildShare?: number;
  readonly keepWeights?: true;
  readonly archive?: readonly string[];
  readonly anyway?: true;
  readonly keep?: number;
}

export const DEFAULT_ADDRESS: Address = { hostname: "127.0.0.1", port: 8080 };
/** Default share of a processor that a rebuild takes. */
export const REBUILD_SHARE = 0.5;
/** Default folder of local snapshots. */
export const SNAPSHOTS = ".data/snapshots";

/** The address of HTTP, if it is served. */
export function addressOf({ http, roles }: Pick<Flags, "http" | "roles">): Address | undefined {
  return http ?? (roles?.includes("http") ? DEFAULT_ADDRESS : undefined);
}

/** An address in the form of permissions: `127.0.0.1:8080`, `[::1]:8080`. */
export function hostAndPort({ hostname, port }: Address): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** Default time between commits; longer if no answer waits for one: each costs the broker half a dozen requests. */
export const COMMIT_INTERVAL_MS: Readonly<Record<Delivery, number>> = {
  "exactly-once": STEP_OPTIONS.commitIntervalMs.value,
  "at-least-once": 500,
};
