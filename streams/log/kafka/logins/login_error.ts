/** Why no token could be obtained to log in with. Its message contains no secret. */
export class LoginError extends Error {
  override readonly name = "LoginError";
  /** Whether it may be temporary. */
  readonly isPassing: boolean;

  constructor(message: string, isPassing: boolean) {
    super(message);
    this.isPassing = isPassing;
  }
}
