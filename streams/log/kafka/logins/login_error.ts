/** Why there is no token to log in with. Its message holds no secret. */
export class LoginError extends Error {
  override readonly name = "LoginError";
  /** Whether it may go away by itself. */
  readonly isPassing: boolean;

  constructor(message: string, isPassing: boolean) {
    super(message);
    this.isPassing = isPassing;
  }
}
