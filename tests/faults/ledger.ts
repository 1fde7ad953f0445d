/**
 * What people did, were told and saw of a deployment, by clocks that are right: what it says and keeps must agree with it.
 *
 * @module
 */

/** An event that was sent. */
export interface Sent {
  readonly user: string;
  /** Id of the event, or of the request. */
  readonly id: string;
  /** When it was sent first, milliseconds of the world. */
  readonly at: number;
  /** When somebody said that it is durable; `undefined` when nobody did. */
  acknowledgedAt: number | undefined;
}

/** A list that was asked for. */
export interface Asked extends Sent {
  /** The event time that was given to it, or its time by the clock of the server; milliseconds of the world. */
  time: number | undefined;
  /** What was shown; `undefined` when no answer came to whoever asked. */
  items: readonly string[] | undefined;
}

/** A click on something that was shown. */
export interface Clicked extends Sent {
  readonly request: string;
  readonly item: string;
}

/** Everything that people did by HTTP. */
export class Ledger {
  readonly asked: Asked[] = [];
  readonly clicked: Clicked[] = [];
  /** Events of a shop that the server has said to be durable, as text. */
  readonly appended: { readonly text: string; readonly at: number }[] = [];
  /** Those who wanted to be forgotten. */
  readonly forgotten = new Map<string, number>();
  /** Those whose clocks are wrong: what becomes of their own lists is their affair. */
  readonly skewed = new Set<string>();
  /** Answers of servers that are none, by status. */
  readonly statuses = new Map<number, number>();

  /** Counts an answer. */
  answered(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }
}
