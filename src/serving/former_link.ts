/**
 * The link from learnt to served logits that versions and checkpoints of 0.2.0 could have: probabilities of fake
 * negatives undone, then scaled and shifted. Nothing maps logits any more; records keep its bytes.
 *
 * @module
 */

/** Rejects what was made with such a link. @throws SyntaxError unless it leaves logits as they are */
export function rejectFormerLink(what: string, isFake: boolean, scale: number, bias: number): void {
  if (!isFake && scale === 1 && bias === 0) return;
  throw new SyntaxError(
    `Cannot decode ${what}: it was made with labelPolicy "fnc" or learner.calibrationRate, which were removed; rebuild`,
  );
}
