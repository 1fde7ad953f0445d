/** Generates HTML: everything except our own markup goes through {@linkcode escapeHtml}. */

import { printable } from "./format.ts";

/** A table of text; cells are escaped by {@linkcode htmlTable}. */
export interface TableData {
  /** Caption for screen readers. */
  readonly caption: string;
  readonly columns: readonly (string | HtmlColumn)[];
  readonly rows: readonly (readonly string[])[];
}

export interface HtmlColumn {
  readonly title: string;
  readonly about?: string;
  /** Numbers are right-aligned; `code` is monospaced and may wrap anywhere. @default {"text"} */
  readonly kind?: "text" | "number" | "code";
}

export function numbers(...titles: readonly string[]): HtmlColumn[] {
  return titles.map((title) => ({ title, kind: "number" }));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Escapes untrusted text for element content and quoted attributes; characters that hide or reorder text become visible
 * escapes.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { escapeHtml } from "./html.ts";
 *
 * assert.equal(escapeHtml(`<img src=x onerror="a()">`), "&lt;img src=x onerror=&quot;a()&quot;&gt;");
 * ```
 */
export function escapeHtml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);
}

/**
 * Serialises a value as JSON for a `<script>` element, which no text in it can close.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { scriptJson } from "./html.ts";
 *
 * const json = scriptJson({ item: "</script><!--" });
 * assert.ok(!json.includes("<"));
 * assert.deepEqual(JSON.parse(json), { item: "</script><!--" });
 * ```
 */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A table with a caption, column and row headings, in a box that scrolls sideways on small screens. */
export function htmlTable({ caption, columns: titled, rows }: TableData): string {
  const columns = titled.map((one): HtmlColumn => typeof one === "string" ? { title: one } : one);
  const head = columns.map(({ title, about, kind = "text" }) =>
    `<th scope="col" class="${kind}"${about === undefined ? "" : ` title="${escapeHtml(about)}"`}>` +
    `${escapeHtml(title)}</th>`
  );
  const body = rows.map((row) =>
    `<tr>${
      columns.map(({ kind = "text" }, i) =>
        i === 0
          ? `<th scope="row" class="${kind}">${escapeHtml(row[i] ?? "")}</th>`
          : `<td class="${kind}">${escapeHtml(row[i] ?? "")}</td>`
      ).join("")
    }</tr>`
  );
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(caption)}"><table>
<caption>${escapeHtml(caption)}</caption>
<thead><tr>${head.join("")}</tr></thead>
<tbody>
${body.join("\n")}
</tbody></table></div>`;
}
