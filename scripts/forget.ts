/**
 * `deno task meander -- forget USER`: erases a user, waits until it is done, and gives a receipt.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { renderFacts } from "../streams/report/table.ts";
import { commandArguments, commandName, makeRoomFor, print, runCommand } from "./command_line.ts";
import { addServerFlags, call, ElsewhereError, part, type ServerFlags, tell } from "./server_flags.ts";

interface Flags extends ServerFlags {
  readonly yes?: true;
  readonly receipt?: string;
}

/** What was done, for who has to show it. */
interface Receipt {
  /** SHA-256 of the id, so that the receipt is not what keeps it. */
  readonly userSha256: string;
  readonly deployment: string;
  /** When the event was durable. */
  readonly taken: string;
  /** When the task knew nothing of the user any more; `null` = it had not got there. */
  readonly erased: string | null;
  readonly remains: string;
}

const PATIENCE_MS = 30_000;
const POLL_MS = 100;
const REMAINS = "events, samples and signals on the log, until its retention drops them";

async function main(user: string, flags: Flags): Promise<number> {
  if (flags.receipt !== undefined) await makeRoomFor(flags.receipt);
  if (!flags.yes && !confirm(`Erase what is known of ${user} at ${flags.url}? This cannot be undone.`)) {
    print(Deno.stderr, "nothing was erased; --yes does not ask\n");
    return 1;
  }
  const path = `/v1/users/${part(user)}`;
  await call(flags, "DELETE", path);
  const taken = new Date();
  const gone = await isErased(flags, path, taken);
  const receipt: Receipt = {
    userSha256: createHash("sha256").update(user).digest("hex"),
    deployment: flags.url,
    taken: taken.toISOString(),
    erased: gone ? new Date().toISOString() : null,
    remains: REMAINS,
  };
  if (flags.receipt !== undefined) {
    await Deno.writeTextFile(flags.receipt, `${JSON.stringify(receipt, null, 2)}\n`);
  }
  tell(flags, receipt, render);
  return gone ? 0 : 2;
}

/** Waits until nothing is known any more. @returns Whether that is so; `false` where nobody who was asked could know */
async function isErased(flags: Flags, path: string, taken: Date): Promise<boolean> {
  while (Date.now() - taken.getTime() < PATIENCE_MS) {
    try {
      if (await call(flags, "GET", path) === undefined) return true;
    } catch (error) {
      if (!(error instanceof ElsewhereError)) throw error;
      print(Deno.stderr, `the event is durable, but whether it is done is not known: ${error.message}\n`);
      return false;
    }
    await delay(POLL_MS);
  }
  return false;
}

function render({ userSha256, deployment, taken, erased, remains }: Receipt): string {
  return renderFacts([
    ["user (SHA-256)", userSha256],
    ["deployment", deployment],
    ["durable", taken],
    ["erased", erased ?? "not yet: its task is behind or elsewhere, or the user is active"],
    ["remains", remains],
  ]);
}

const name = commandName("forget");
const program = addServerFlags(
  new Command(name)
    .description(
      "Erases what is known of a user: state, embeddings, memory of what was shown; gives a receipt.",
    )
    .argument("<user>", "id of the user"),
)
  .option("--yes", "do not ask")
  .option("--receipt <file>", "write the receipt as JSON, too")
  .addHelpText(
    "after",
    `\nExit code: 0 it is erased, 1 it failed or was not wanted, 2 it is durable and not done yet.\n\n` +
      `Example:\n  ${name} ann --yes --receipt receipts/ann.json`,
  )
  .showHelpAfterError()
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.args[0] ?? "", program.opts<Flags>()));
