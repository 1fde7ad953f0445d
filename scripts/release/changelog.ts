/**
 * The changelog at a release.
 *
 * @module
 */

const UNRELEASED = "## Unreleased";

/** The text of a section; `null` = there is none with this heading, which may be followed by a date. */
export function sectionOf(changelog: string, heading: string): string | null {
  const lines = changelog.split("\n");
  const begin = lines.findIndex((line) => line === heading || line.startsWith(`${heading} (`));
  if (begin < 0) return null;
  const length = lines.slice(begin + 1).findIndex((line) => line.startsWith("## "));
  return lines.slice(begin + 1, length < 0 ? undefined : begin + 1 + length).join("\n").trim();
}

/**
 * Turns the unreleased section into a release of a day.
 *
 * @param date such as `2026-11-28`
 * @throws Error when nothing is unreleased, the release exists already, or nothing says how to upgrade
 */
export function released(changelog: string, version: string, date: string): string {
  const refuse = (why: string): never => {
    throw new Error(`Cannot release ${version}: CHANGELOG.md ${why}`);
  };
  if (sectionOf(changelog, `## ${version}`) !== null) refuse(`has it already; raise "version" in deno.json`);
  const text = sectionOf(changelog, UNRELEASED) ?? "";
  if (text === "") refuse(`has nothing under "${UNRELEASED}"`);
  if (!/^### Upgrading$/m.test(text)) refuse('does not say how to upgrade: it has no "### Upgrading"');
  return changelog.replace(`${UNRELEASED}\n`, `${UNRELEASED}\n\n## ${version} (${date})\n`);
}
