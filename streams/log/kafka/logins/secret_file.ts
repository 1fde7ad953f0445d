/** Secrets in files, read at each login, because they may be replaced. */

import { readFile } from "node:fs/promises";
import { LoginError } from "./login_error.ts";
import type { KafkaAccount } from "./security.ts";

/** A secret of one line. @param what it is, for messages @throws LoginError */
export async function secretIn(what: string, path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause) => {
    throw new LoginError(`Cannot read ${what} from ${path}: ${cause.message}`, true);
  });
  const secret = withoutNewline(text);
  if (secret === "") throw new LoginError(`Cannot log in by ${what} in ${path}: it is empty`, true);
  return secret;
}

/** The password of an account as it is now. @throws LoginError */
export async function passwordOf(account: KafkaAccount): Promise<string> {
  return "password" in account ? account.password : await secretIn("the password", account.passwordFile);
}

/** The text of a file of one line. */
export function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, "");
}
