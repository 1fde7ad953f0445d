/**
 * Long work in portions: the caller may let others use the thread in between.
 *
 * @module
 */

/** Entries per portion: they take far less than a millisecond. */
const PORTION = 100;

/** Long work, which pauses after each portion and returns its result. Nothing that it reads may change before its end. */
export type Portions<Result = void> = Generator<void, Result>;

/** Does something for each entry. */
export function* inPortions<Entry>(entries: Iterable<Entry>, act: (entry: Entry) => void): Portions {
  let done = 0;
  for (const entry of entries) {
    act(entry);
    if (++done % PORTION === 0) yield;
  }
}

/** The entries that fulfil a condition. */
export function* filterInPortions<Entry>(
  entries: Iterable<Entry>,
  isKept: (entry: Entry) => boolean,
): Portions<Entry[]> {
  const kept: Entry[] = [];
  yield* inPortions(entries, (entry) => {
    if (isKept(entry)) kept.push(entry);
  });
  return kept;
}

/** Does something `times` times. */
export function* timesInPortions(times: number, act: () => void): Portions {
  for (let done = 1; done <= times; done++) {
    act();
    if (done % PORTION === 0) yield;
  }
}

/** Does all portions without a pause. */
export function atOnce<Result>(portions: Portions<Result>): Result {
  for (;;) {
    const { done, value } = portions.next();
    if (done === true) return value;
  }
}

/** Does all portions, with a pause after each. */
export async function withPauses<Result>(
  portions: Portions<Result>,
  pause: () => Promise<unknown>,
): Promise<Result> {
  for (;;) {
    const { done, value } = portions.next();
    if (done === true) return value;
    await pause();
  }
}
