// @ts-check
/// <reference lib="dom" />
/**
 * Builds elements without markup: text stays text, so no server data can become a tag, and what would hide or reorder it
 * is seen.
 *
 * @module
 */

import { percent } from "./figures.js";

/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Readonly<Record<string, string | number | boolean | null | undefined>>} Attributes */
/** @typedef {{ title: string, number: boolean }} Column */
/** @typedef {1 | 2 | 3 | 4} Color */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element.
 *
 * @param {string} tag
 * @param {Attributes} [attributes] `false` and `null` are omitted, `true` is an empty attribute
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * An SVG element.
 *
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  return fill(/** @type {SVGElement} */ (document.createElementNS(SVG, tag)), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} attributes
 * @param {readonly Child[]} children
 * @returns {E}
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : seen(String(value)));
  }
  element.append(
    ...children.filter((child) => child || child === "")
      .map((child) => typeof child === "string" ? seen(child) : child || ""),
  );
  return element;
}

/**
 * Escapes control characters, and those that are invisible or change the direction of text; joiners stay after letters
 * and signs that they may join.
 *
 * @param {string} text
 */
export function seen(text) {
  return text.replaceAll(
    /[^\P{C}\n\t\u200c\u200d]|[\u2028\u2029]|(?<![^\0-\x7f])[\u200c\u200d]/gu,
    (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/**
 * Sets a text if it changed, which avoids layout.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  const shown = seen(text);
  if (node.textContent !== shown) node.textContent = shown;
}

/**
 * The id of an item, with its title.
 *
 * @param {{ item: string, title?: string | null | undefined }} named
 * @returns {HTMLElement}
 */
export function itemName({ item, title }) {
  return html("span", {}, item, title && html("small", { class: "name" }, title));
}

/**
 * A figure, with what it is above and how to read it below.
 *
 * @param {string} title
 * @param {Child} value
 * @param {string} about
 */
export function tile(title, value, about) {
  return html(
    "div",
    { class: "tile" },
    html("span", { class: "title" }, title),
    html("b", {}, value),
    html("span", {}, about),
  );
}

/**
 * A short text in a pill.
 *
 * @param {string} text
 * @param {"good" | "bad" | ""} [kind]
 */
export function tag(text, kind = "") {
  return html("span", { class: `tag ${kind}`.trim() }, text);
}

/**
 * A bar from the left.
 *
 * @param {number} share in [0, 1]
 * @param {Color} color
 * @param {string} [label]
 */
export function meter(share, color, label = percent(share)) {
  return html("meter", {
    class: `color-${color}`,
    min: 0,
    max: 1,
    value: Math.min(1, Math.max(0, share)),
    "aria-label": label,
  });
}

/**
 * Columns of numbers.
 *
 * @param {...string} titles
 * @returns {Column[]}
 */
export function numbers(...titles) {
  return titles.map((title) => ({ title, number: true }));
}

/**
 * A table with a caption for screen readers, in a box that scrolls sideways. A column without a title shares that of the
 * one before.
 *
 * @param {string} caption
 * @param {readonly (string | Column)[]} titled
 * @param {readonly (readonly Child[])[]} rows
 * @returns {HTMLElement}
 */
export function table(caption, titled, rows) {
  const columns = titled.map((one) => typeof one === "string" ? { title: one, number: false } : one);
  const kind = (/** @type {number} */ at) => columns[at]?.number ? "number" : null;
  return html(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    html(
      "table",
      {},
      html("caption", { class: "hidden" }, caption),
      html(
        "thead",
        {},
        html(
          "tr",
          {},
          ...columns.flatMap(({ title }, at) => {
            if (at === 0 && title === "") return [html("td", {}, "")];
            if (title === "") return [];
            return [html("th", { scope: "col", class: kind(at), colspan: spanAt(columns, at) }, title)];
          }),
        ),
      ),
      html(
        "tbody",
        {},
        ...rows.map((row) =>
          html(
            "tr",
            {},
            ...row.map((cell, at) =>
              at === 0
                ? html("th", { scope: "row", class: kind(at) }, cell)
                : html("td", { class: kind(at) }, cell)
            ),
          )
        ),
      ),
    ),
  );
}

/**
 * A box with a heading.
 *
 * @param {string} title
 * @param {string} about
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function card(title, about, ...children) {
  return html(
    "section",
    { class: "card" },
    html("h2", {}, title),
    about === "" ? null : html("p", { class: "muted about" }, about),
    ...children,
  );
}

/**
 * A placeholder for missing data.
 *
 * @param {string} text
 * @returns {HTMLElement}
 */
export function empty(text) {
  return html("p", { class: "empty" }, text);
}

/**
 * How many columns share a title.
 *
 * @param {readonly { title: string }[]} columns
 * @param {number} at
 */
function spanAt(columns, at) {
  const next = columns.findIndex(({ title }, other) => other > at && title !== "");
  return (next < 0 ? columns.length : next) - at;
}
