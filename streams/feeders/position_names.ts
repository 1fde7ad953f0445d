/**
 * Names under which positions of sources are kept.
 *
 * @module
 */

/** The default name of a source that `ingest` feeds. */
export function ingestName(format: string, from: string): string {
  return `${format}:${from}`;
}

/** The name of a source that `run` follows. */
export function followedName(source: string): string {
  return `source:${source}`;
}
