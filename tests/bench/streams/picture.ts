/**
 * The picture of the benchmark on streams: for each stream, MRR over the later half of the engine, its best source, the
 * best plain method and the rivals.
 *
 * @module
 */

import type { NextItemReport } from "../../../scripts/evaluate/next_item_report.ts";

/** A line of the picture: the mean over seeds, and the ends of all their intervals. */
interface Bar {
  readonly method: string;
  readonly kind: Kind;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const KINDS = ["engine", "source", "plain", "rival"] as const;
type Kind = typeof KINDS[number];

const WIDTH = 760, LEFT = 230, RIGHT = 70, LINE = 18, GAP = 14;
/** Legible on white and on black. */
const STYLE = `text{font:12px sans-serif;fill:#1f2328}.stream{font-weight:bold}.axis{stroke:#8884}
.engine{stroke:#0969da;fill:#0969da}.source{stroke:#1a7f37;fill:#1a7f37}.plain{stroke:#777;fill:#777}
.rival{stroke:#bc4c00;fill:#bc4c00}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.engine{stroke:#58a6ff;fill:#58a6ff}
.source{stroke:#3fb950;fill:#3fb950}.plain{stroke:#aaa;fill:#aaa}.rival{stroke:#f0883e;fill:#f0883e}}`;

/** An SVG image. @param rivals Names of methods, all of which are shown */
export function pictureOf(
  reports: readonly (Pick<NextItemReport, "later"> & { readonly name: string })[],
  rivals: readonly string[],
): string {
  const streams = Map.groupBy(reports, ({ name }) => name);
  const blocks = Array.from(streams, ([name, runs]) => ({ name, bars: barsOf(runs, rivals) }));
  const most = blocks.flatMap(({ bars }) => bars).reduce((max, { high }) => Math.max(max, high), 0);
  const x = (value: number) => (LEFT + Math.max(0, value) / most * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const parts: string[] = [];
  let y = LINE;
  for (const { name, bars } of blocks) {
    parts.push(`<text class="stream" x="8" y="${y}">${escaped(name)}</text>`);
    for (const { method, kind, mean, low, high } of bars) {
      const middle = y - 4;
      parts.push(
        `<text x="${LEFT - 10}" y="${y}" text-anchor="end">${escaped(method)}</text>`,
        `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${middle}" y2="${middle}"/>`,
        `<line class="${kind}" stroke-width="3" x1="${x(low)}" x2="${
          x(high)
        }" y1="${middle}" y2="${middle}"/>`,
        `<circle class="${kind}" r="5" cx="${x(mean)}" cy="${middle}"/>`,
        `<text x="${WIDTH - RIGHT + 12}" y="${y}">${mean.toFixed(3)}</text>`,
      );
      y += LINE;
    }
    y += GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${
    y - GAP
  }"><style>${STYLE}</style>\n${parts.join("\n")}\n</svg>\n`;
}

/** The engine, the best of each kind, and all rivals, best first. */
function barsOf(runs: readonly Pick<NextItemReport, "later">[], rivals: readonly string[]): readonly Bar[] {
  const engine = runs[0]!.later.find(({ behind }) => behind === null)!.method;
  const kindOf = (method: string): Kind =>
    method === engine
      ? "engine"
      : rivals.includes(method)
      ? "rival"
      : method.startsWith("source: ") || method === "blend"
      ? "source"
      : "plain";
  const bars = runs[0]!.later.map(({ method }): Bar => {
    const all = runs.flatMap(({ later }) =>
      later.filter((standing) => standing.method === method).map(({ reciprocalRank }) => reciprocalRank)
    );
    return {
      method,
      kind: kindOf(method),
      mean: all.reduce((sum, { mean }) => sum + mean, 0) / all.length,
      low: Math.min(...all.map(({ mean, margin }) => mean - margin)),
      high: Math.max(...all.map(({ mean, margin }) => mean + margin)),
    };
  }).sort((a, b) => b.mean - a.mean);
  return bars.filter((bar) => bar.kind === "rival" || bar === bars.find(({ kind }) => kind === bar.kind));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
