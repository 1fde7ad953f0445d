/**
 * Errors in the settings of a mapping.
 *
 * @module
 */

/** A mapping that cannot be used, with the place in its settings. */
export class MappingError extends SyntaxError {
  /** Path in the settings, such as `rules`, `0`, `fields`, `user`. */
  readonly path: readonly (string | number)[];

  /** Makes an error for a place in the settings. */
  constructor(path: readonly (string | number)[], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MappingError";
    this.path = path;
  }
}

/** Calls `make`, and turns a `SyntaxError` into a {@linkcode MappingError} with its place. @throws MappingError */
export function placed<T>(path: readonly (string | number)[], make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SyntaxError) || error instanceof MappingError) throw error;
    throw new MappingError(path, error.message, { cause: error });
  }
}
