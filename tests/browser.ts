/**
 * The browser that tests of pages use: playwright-core drives the system's own.
 *
 * @module
 */

/** Path of the system's Chromium; `null`, with a loud note of what is skipped, when there is none. */
export async function findChromium(skipped: string): Promise<string | null> {
  const named = Deno.env.get("MEANDER_CHROMIUM");
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  const programs = ["chromium", "chromium-browser", "google-chrome", "chrome"];
  const paths = [named ?? [], folders.flatMap((folder) => programs.map((name) => `${folder}/${name}`))]
    .flat();
  const found = paths.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
  if (found !== undefined) return found;
  const text = `SKIPPED: ${skipped} in a browser: no Chromium on PATH or in MEANDER_CHROMIUM\n`;
  await Deno.stderr.write(new TextEncoder().encode(text));
  return null;
}
