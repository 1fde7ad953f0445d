/** `deno task meander -- forget USER`: erases a user, waits until it is done, and prints a receipt. */

import { dateOf } from "../../src/values/date_of.ts";
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { ErasureReceipt } from "../../streams/backup/erased_since.ts";
import { renderFacts } from "../../streams/report/table.ts";
import type { ErasurePlace, ErasureView, Remainder } from "../../streams/service/erasure/erasure_view.ts";
import {
  commandArguments,
  commandName,
  count,
  createCommand,
  makeRoomFor,
  messageOf,
  print,
  runCommand,
} from "../flags/command_line.ts";
import {
  AbsentError,
  addServerFlags,
  AwayError,
  call,
  part,
  type ServerFlags,
  tell,
} from "../flags/server_flags.ts";

interface Flags extends ServerFlags {
  readonly yes?: true;
  readonly receipt?: string;
  readonly wait: number;
}

/** Evidence of an erasure, with a hash of the id in its place. */
interface Receipt extends ErasureReceipt {
  readonly deployment: string;
  /** Whether there was state of the user before; `null` if no process could say. */
  readonly wasKnown: boolean | null;
  /** When task, learner and the rewritable part of the log no longer had the user; `null`: not yet. */
  readonly erased: string | null;
  /** State of the erasure; `null` if no process could say. */
  readonly state: ErasureView["state"] | null;
  /** What remains on which topic, and until when. */
  readonly topics: readonly Remaining[];
  readonly notErased: string;
}

/** As {@linkcode Remainder}, with a human-readable time. */
type Remaining = Omit<Remainder, "until"> & { readonly until: string | null };

const WAIT_SECONDS = 120;
const POLL_MS = 100;
const NOT_ERASED =
  "anonymous sessions of the user, backups, copies that consumers of the topics keep, source files, proxy logs, " +
  "on Kafka local snapshots of tasks for an hour or two (docs/how-to/erase-a-user.md)";

async function main(user: string, flags: Flags): Promise<number> {
  if (flags.receipt !== undefined) await makeRoomFor(flags.receipt);
  if (
    !flags.yes && !confirm(`Erase everything known about ${user} at ${flags.url}? This cannot be undone.`)
  ) {
    print(Deno.stderr, "nothing was erased; use --yes to skip this question\n");
    return 1;
  }
  const path = `/v1/users/${part(user)}`;
  // Erases the user even if no process can say whether they are known.
  const wasKnown = await call(flags, "GET", path)
    .then(() => true, (error) => error instanceof AbsentError ? false : null);
  const { erasure } = await call<{ erasure?: ErasurePlace }>(flags, "DELETE", path);
  const durable: Receipt = {
    userSha256: createHash("sha256").update(user).digest("hex"),
    deployment: flags.url,
    wasKnown,
    taken: new Date().toISOString(),
    erased: null,
    state: null,
    topics: [],
    notErased: NOT_ERASED,
  };
  // The event cannot be undone: from here on there is a receipt, even if this process dies.
  await write(durable, flags).catch((error) => print(Deno.stderr, `warning: ${messageOf(error)}\n`));
  const until = Date.now() + flags.wait * 1000;
  const isUnknown = await isErased(flags, path, until);
  const receipt = await complete(durable, flags, { erasure, isUnknown, until });
  tell(flags, receipt, render);
  await write(receipt, flags);
  return receipt.erased === null ? 2 : 0;
}

/** Writes the receipt to a file, if requested; readers see the old file or the new one, never a part. */
async function write(receipt: Receipt, { receipt: file }: Flags): Promise<void> {
  if (file === undefined) return;
  try {
    await Deno.writeTextFile(`${file}.part`, `${JSON.stringify(receipt, null, 2)}\n`);
    await Deno.rename(`${file}.part`, file);
  } catch (cause) {
    throw new Error(`Cannot write the receipt to ${file}; it is printed instead`, { cause });
  }
}

/** Waits until the user is unknown. @returns whether that happened; `false` also if no process could say */
async function isErased(flags: Flags, path: string, until: number): Promise<boolean> {
  let reason: string | undefined;
  do {
    try {
      await call(flags, "GET", path);
      reason = undefined;
    } catch (error) {
      if (error instanceof AbsentError) return true;
      reason = messageOf(error);
      if (!(error instanceof AwayError)) break;
    }
    await delay(POLL_MS);
  } while (Date.now() < until);
  if (reason !== undefined) {
    print(Deno.stderr, `the request is durable, but whether the user is erased is unknown: ${reason}\n`);
  }
  return false;
}

/** Waits until the log is also done, and records what remains. */
async function complete(
  durable: Receipt,
  flags: Flags,
  { erasure, isUnknown, until }: {
    readonly erasure: ErasurePlace | undefined;
    readonly isUnknown: boolean;
    readonly until: number;
  },
): Promise<Receipt> {
  const erased = () => new Date().toISOString();
  if (erasure === undefined) return isUnknown ? { ...durable, erased: erased() } : durable; // older servers report no more
  const path = `/v1/erasures/${erasure.partition}/${erasure.offset}`;
  let receipt = durable;
  let lastError: unknown;
  do {
    const view = await call<ErasureView>(flags, "GET", path).catch((error) => {
      lastError = error; // usually the service is restarting: retry
      return undefined;
    });
    if (view !== undefined) {
      const topics = view.topics.map(({ until, ...rest }) => ({
        ...rest,
        until: until === null ? null : dateOf(until),
      }));
      receipt = { ...durable, state: view.state, topics };
      if (view.state !== "under way") return { ...receipt, erased: erased() };
    }
    await delay(POLL_MS);
  } while (isUnknown && Date.now() < until);
  if (receipt.state === null && lastError !== undefined) {
    print(Deno.stderr, `the state of the erasure is unknown: ${messageOf(lastError)}\n`);
  }
  return receipt;
}

function render(receipt: Receipt): string {
  const { userSha256, deployment, wasKnown, taken, erased, state, topics, notErased } = receipt;
  return renderFacts([
    ["user (SHA-256)", userSha256],
    ["deployment", deployment],
    [
      "known before",
      wasKnown === null ? "unknown" : wasKnown ? "yes" : "no: never, or already erased",
    ],
    ["durable", taken],
    ["erased", erased ?? "not yet: the user's task is behind or in another process, or the user is active"],
    ["state", state ?? "unknown"],
    ...topics.map(({ topic, remains, until }) =>
      [
        topic,
        remains === null ? "nothing remains" : until === null ? remains : `${remains}, by ${until}`,
      ] as const
    ),
    ["not erased", notErased],
  ]);
}

const name = commandName("forget");
const program = addServerFlags(
  createCommand(name)
    .description(
      "Erase everything known about a user (state, embeddings, lists shown) and print a receipt.",
    )
    .argument("<user>", "id of the user"),
)
  .option("--yes", "do not ask for confirmation")
  .option("--receipt <file>", "also write the receipt as JSON to this file")
  .option("--wait <seconds>", "how long to wait for the erasure", count, WAIT_SECONDS)
  .addHelpText(
    "after",
    `\nExit code: 0 erased; 1 cancelled or failed; 2 the request is durable, but not done yet, or its state\n` +
      `is unknown. Running it again is safe and prints another receipt.\n\n` +
      `Example:\n  ${name} ann --yes --receipt receipts/ann.json`,
  )
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.args[0] ?? "", program.opts<Flags>()));
