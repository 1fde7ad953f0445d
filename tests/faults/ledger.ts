/**
 * What people did, were told and saw of a deployment, by correct clocks: what it says and keeps must agree with this.
 *
 * @module
 */

/** An event that was sent. */
export interface Sent {
  readonly user: string;
  /** Id of the event, or of the request. */
  readonly id: string;
  /** When it was first sent, milliseconds of the world. */
  readonly at: number;
  /** When a server confirmed that it is durable; `undefined` if none did. */
  acknowledgedAt: number | undefined;
}

/** A list that was requested. */
export interface Asked extends Sent {
  /** The event time it was given, or its time by the clock of the server; milliseconds of the world. */
  time: number | undefined;
  /** The items shown; `undefined` when no answer arrived. */
  items: readonly string[] | undefined;
}

/** A click on something that was shown. */
export interface Clicked extends Sent {
  readonly request: string;
  readonly item: string;
}

/** Everything that people did over HTTP. */
export class Ledger {
  readonly asked: Asked[] = [];
  readonly clicked: Clicked[] = [];
  /** Events of a shop that the server confirmed as durable, as text. */
  readonly appended: { readonly text: string; readonly at: number }[] = [];
  /** Users who wanted to be forgotten. */
  readonly forgotten = new Map<string, number>();
  /** Users whose clocks are wrong: their own lists may be affected. */
  readonly skewed = new Set<string>();
  /** Failed answers of servers, by status. */
  readonly statuses = new Map<number, number>();

  /** Counts an answer. */
  answered(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }
}
