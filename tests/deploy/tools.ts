/**
 * Tools that not every machine has.
 *
 * @module
 */

/** How a tool ended; `undefined` when it is not on this machine. */
export async function outputOf(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<Deno.CommandOutput | undefined> {
  try {
    return await new Deno.Command(command, { args: [...args], cwd, stdin: "null" }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
