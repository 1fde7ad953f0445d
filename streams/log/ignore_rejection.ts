/** Keeps the rejection of a promise from ending the process. @param _reason why it needs no handling here */
export function ignoreRejection(promise: Promise<unknown> | undefined, _reason: string): void {
  promise?.catch(() => {});
}
