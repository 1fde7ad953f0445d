/**
 * Waiting for something, but not for ever.
 *
 * @module
 */

/** What a promise gives, or a rejection with `late()` after so many milliseconds; the promise itself goes on. */
export async function within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  promise.catch(() => {}); // told here, unless the time was over
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
