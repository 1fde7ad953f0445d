/**
 * Plain text tables for terminals.
 *
 * @module
 */

export interface TextOptions {
  /** Style headings with ANSI escapes; see {@linkcode wantsColour}. @default {false} */
  readonly colour?: boolean;
}

export interface TextColumn {
  readonly title: string;
  /** Numbers are right-aligned. @default {"left"} */
  readonly align?: "left" | "right";
}

const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const ZERO_WIDTH = /^[\p{Mark}\u200b-\u200f]+$/u;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Width of a text in terminal cells: combining marks take none, East Asian wide characters and emoji two. */
export function textWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    if (!ZERO_WIDTH.test(segment)) width += WIDE.test(segment) ? 2 : 1;
  }
  return width;
}

/**
 * Whether output to a stream should have colour: it is a terminal, and the environment variable `NO_COLOR`
 * is unset or empty (https://no-color.org).
 */
export function wantsColour(isTerminal: boolean, noColor: string | undefined): boolean {
  return isTerminal && (noColor === undefined || noColor === "");
}

/**
 * Renders rows as a table: a heading line, a rule, and columns as wide as their widest cell.
 *
 * @param rows Cells in the order of the columns; missing ones are blank.
 */
export function renderTable(
  columns: readonly TextColumn[],
  rows: readonly (readonly string[])[],
  options: TextOptions = {},
): string {
  const widths = columns.map(({ title }, i) =>
    rows.reduce((widest, row) => Math.max(widest, textWidth(row[i] ?? "")), textWidth(title))
  );
  const line = (cells: readonly string[]): string =>
    columns.map(({ align }, i) => pad(cells[i] ?? "", widths[i] ?? 0, align)).join("  ").trimEnd();
  const head = line(columns.map(({ title }) => title));
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [bold(head, options), rule, ...rows.map(line)].join("\n") + "\n";
}

/** Renders facts as two columns, names on the left. */
export function renderFacts(facts: readonly (readonly [name: string, value: string])[]): string {
  const width = facts.reduce((widest, [name]) => Math.max(widest, textWidth(name)), 0);
  return facts.map(([name, value]) => `${pad(name, width)}  ${value}`.trimEnd() + "\n").join("");
}

function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const blank = " ".repeat(Math.max(0, width - textWidth(text)));
  return align === "right" ? blank + text : text + blank;
}

/** A heading, in bold where there is colour. */
export function bold(text: string, { colour = false }: TextOptions): string {
  return colour ? `\x1b[1m${text}\x1b[22m` : text;
}
