/**
 * Turns texts of declarations, which are Markdown for the configuration's page, into plain text.
 *
 * @module
 */

const PAGE = new URL("file:///docs/reference/configuration.md");

/** A text of the configuration's page without Markdown: a link becomes the path of its page. */
export function plainText(text: string): string {
  return text
    .replaceAll(/\[[^\]]*\]\(([^)#]*)[^)]*\)/g, (_, target) => new URL(target, PAGE).pathname.slice(1))
    .replaceAll("`", "");
}
