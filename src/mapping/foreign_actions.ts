/**
 * What other systems call our actions.
 *
 * @module
 */

/** Our actions by parts of foreign words; the first match counts. */
const ACTIONS: readonly (readonly [part: RegExp, action: string | undefined])[] = [
  // What is taken back is no act: no event takes another back.
  [
    /remove|delete|cancel|refund|return|abandon|revoke|undo|fail|declin|(^|[^a-z])un_?(like|fav|save|book)/,
    undefined,
  ],
  [/dislike|downvote|thumbs?_?down|hide|skip/, "dislike"],
  [/wish|fav|like|upvote|bookmark|save/, "like"],
  [/purchase|order|buy|bought|checkout|transaction|paid|payment|sale/, "purchase"],
  [/cart|basket|bag/, "cart"],
  [/rat(e|ing)|review|stars/, "rating"],
  [/click|tap|select|open/, "click"],
  [/view|visit|detail|pv|watch|play|read|listen|look|browse/, "view"],
];

/** Our action for a foreign word; `undefined` = none. */
export function actionOf(word: string): string | undefined {
  return ACTIONS.find(([part]) => part.test(word.toLowerCase()))?.[1];
}
