/**
 * What errors of kafkajs and of brokers mean: whether they pass, what they are about, and as what we report them.
 */

import { reasonOf } from "../../../../src/values/reason.ts";
import { LogError, type Place } from "../../log.ts";

const PASSING_NAMES: ReadonlySet<string> = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSLockTimeout",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
]);
const PASSING_TYPES: ReadonlySet<string> = new Set([
  "CORRUPT_MESSAGE",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_FOR_PARTITION",
  "REQUEST_TIMED_OUT",
  "BROKER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "NETWORK_EXCEPTION",
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "NOT_CONTROLLER",
  "KAFKA_STORAGE_ERROR",
  "LISTENER_NOT_FOUND",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "OFFSET_NOT_AVAILABLE",
  "PREFERRED_LEADER_NOT_AVAILABLE",
  "UNSTABLE_OFFSET_COMMIT",
  "CONCURRENT_TRANSACTIONS",
  "ILLEGAL_SASL_STATE",
]);

/** The only error of kafkajs without a name of its own: the connection to a broker is still being opened. */
const NOT_CONNECTED = "Broker not connected";

/** Whether retrying may help against an error. */
export function isPassing(error: unknown): boolean {
  for (const cause of causes(error)) {
    const type = typeOf(cause);
    if (type !== undefined) return PASSING_TYPES.has(type);
    if (PASSING_NAMES.has(cause.name) || cause.message === NOT_CONNECTED) return true;
  }
  return false;
}

/** Whether one side does not trust the other's certificate, which also appears as a failed connection. */
export function isUntrusted(error: unknown): boolean {
  return [...causes(error)].some(({ message }) => /certificate/i.test(message));
}

/** Like {@linkcode isPassing}, for requests about partitions: a broker may not yet know that a topic exists. */
export function isPassingForPartitions(error: unknown): boolean {
  return isPassing(error) || kafkaType(error) === "UNKNOWN_TOPIC_OR_PARTITION";
}

/** The error of a partition that no broker serves. @param leader its node; -1 or `undefined` = none is known */
export function unserved(
  { topic, partition }: Place,
  cause: unknown,
  { triedMs, leader = -1, broker }: {
    readonly triedMs: number;
    readonly leader?: number | undefined;
    readonly broker?: { readonly host: string; readonly port: number } | undefined;
  },
): LogError {
  const at = broker === undefined ? "" : ` at ${broker.host}:${broker.port}`;
  const [who, help] = leader < 0 ? ["it has no leader", "start the brokers that have its replicas"] : [
    `its leader, broker ${leader}${at}, does not serve it`,
    "start that broker, or see why it cannot be reached from here at the address that it advertises",
  ];
  const message = `Cannot read ${topic}/${partition}, tried for ${triedMs / 1000} s: ${who}; ${help}: ${
    reasonOf(cause)
  }`;
  return new LogError("unreachable", message, { cause });
}

/** Type of the error when a group's members cannot share partitions with a new one. */
export const OTHER_PROTOCOL = "INCONSISTENT_GROUP_PROTOCOL";

/** What brokers' errors may mean, by their type. */
const HINTS: Readonly<Record<string, string | undefined>> = {
  INVALID_TIMESTAMP: "the clock of this machine is more than an hour ahead of the brokers'",
  [OTHER_PROTOCOL]:
    "another program is in the group (kafka-consumer-groups.sh --describe --members shows it)",
};

/** Adds to an error what it is about: kafkajs names neither topics nor ids. */
export function about(what: string, cause: unknown): Error {
  const hint = HINTS[kafkaType(cause) ?? ""];
  const error = new Error(`Cannot ${what}: ${reasonOf(cause)}${hint === undefined ? "" : `: ${hint}`}`, {
    cause,
  });
  if (cause instanceof Error) error.name = cause.name;
  return error;
}

/** Converts errors of kafkajs, when brokers are away or refuse, to a LogError with the same message; returns others. */
export function logErrorOf(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof LogError) return error;
  const isUnnamed = [...causes(error)].some(({ message }) => message === NOT_CONNECTED);
  return error.name.startsWith("KafkaJS") || isUnnamed
    ? new LogError("unreachable", error.message, { cause: error })
    : error;
}

/** Kafka's name for an error or one of its causes; `undefined` for other errors. */
export function kafkaType(error: unknown): string | undefined {
  for (const cause of causes(error)) {
    const type = typeOf(cause);
    if (type !== undefined) return type;
  }
  return undefined;
}

/** Whether the broker does not know a topic, or hides it. */
export function isUnknownTopic(error: unknown): boolean {
  const type = kafkaType(error);
  return type === "UNKNOWN_TOPIC_OR_PARTITION" || isDenied(error);
}

/** Whether we may not do something with a topic, or know whether it is there. */
export function isDenied(error: unknown): boolean {
  return kafkaType(error) === "TOPIC_AUTHORIZATION_FAILED";
}

function typeOf(error: Error): string | undefined {
  return "type" in error && typeof error.type === "string" ? error.type : undefined;
}

function* causes(error: unknown): Generator<Error> {
  for (let depth = 0; error instanceof Error && depth < 10; error = error.cause, depth++) yield error;
}
