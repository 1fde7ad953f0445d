/** Questions about suggested rules that only somebody who knows the data can answer, one sentence each. */

import type { RuleSettings } from "../mapping_options.ts";
import { nameOf } from "./field_names.ts";
import type { Roles } from "./roles.ts";
import { mayNameList } from "./shared_ids.ts";
import type { SurveyedField } from "./survey.ts";

/** Words for a session that becomes a user. */
const LOGIN = /log[ _-]?(in|on)|sign[ _-]?(in|up)|identif|regist/;
/** Words for an item that was passed over. */
const SKIP = /skip/i;
/** Names of numbers that say how much of an item somebody took. */
const SHARE = /progress|percent|pct|complet/i;
/** Most values of a field about which a question is asked. */
export const MAX_TOLD = 10;

/** About lists that were shown. */
export function aboutLists({ link, listId, list }: Roles, rules: readonly RuleSettings[]): string[] {
  const open: string[] = [];
  if (link !== undefined) {
    const acts = link.ofActs.map(({ path }) => path).join(", ");
    open.push(`${acts} names the list that was shown: its values are those of ${link.ofList.path}`);
  }
  if (listId !== undefined) {
    open.push(
      `${listId.path} differs in every list, so it becomes the list's request, which clicks on it have to name`,
    );
  }
  if (list?.repeats && rules.some(({ as }) => as === "impression")) {
    open.push("some lists show an item twice: it counts where it is first");
  }
  if (rules.some(({ as }) => as === "nothing")) {
    open.push("records without items become nothing: is that right?");
  }
  return open;
}

/** About values of the field that tells kinds apart. @param others those without a role */
export function aboutOthers({ kind }: Roles, others: readonly string[]): string[] {
  if (kind === undefined || others.length === 0) return [];
  return [
    `records whose ${kind.path} is ${others.slice(0, 8).join(" or ")} become nothing: is that right?`,
  ];
}

/** About sessions that become a user's. */
export function aboutSessions(
  fields: readonly SurveyedField[],
  { user, records }: Roles,
  others: readonly string[],
): string[] {
  if (typeof user !== "object") return [];
  const login = others.find((word) => LOGIN.test(word.toLowerCase()));
  if (login !== undefined) {
    return "first" in user
      ? [
        `does ${login} tell whose a session is? If so, a rule "as": "alias" moves what it did: "user" is the session's ` +
        'id, "of" that of the user',
      ]
      : [];
  }
  const [known, device] = (user.first ?? []).map((path) => fields.find((field) => field.path === path));
  if (!known || !device || known.records + device.records <= records) return [];
  return [
    `records without ${known.path} count for a user named by ${device.path}. To hand them over at a login, add a first ` +
    `rule "as": "alias" with "goOn": true for records with both: "user" is ${device.path}, "of" is ${known.path}`,
  ];
}

/** About records whose kinds no field tells apart. */
export function aboutKinds(
  fields: readonly SurveyedField[],
  { list, plain }: Roles,
  rules: readonly RuleSettings[],
): string[] {
  const open: string[] = [];
  const uses = (path: string) => JSON.stringify(rules).includes(JSON.stringify(path));
  const acts = rules.filter(({ as }) => as === "interaction").map(({ when = {}, fields = {} }) => {
    const { value } = fields["action"] as { readonly value: string }; // of `actRules()`
    return `those with ${Object.keys(when).join()} are taken as ${value}`;
  });
  if (acts.length > 0) open.push(`no field tells kinds of records apart: ${acts.join(", ")}`);
  const told = fields.filter(({ steps, values, isTime }) =>
    values.size > 1 && values.size <= MAX_TOLD && !isTime && !steps.includes(null)
  )
    .map(({ path, values }) => `${path} (${[...values.keys()].slice(0, 4).join(", ")})`);
  if (told.length > 0) {
    open.push(`does the kind of record depend on ${told.slice(0, 4).join(", ")}? If so, use "when"`);
  }
  const lists = list === undefined ? plain.filter((field) => mayNameList(field)) : [];
  for (const { path } of lists.filter(({ path }) => !uses(path))) {
    open.push(
      `does ${path} name the list that was shown? If so, add "request": "${path}" here and to the rule of lists`,
    );
  }
  const share = plain.find(({ steps, types, path }) =>
    types.join() === "number" && SHARE.test(nameOf(steps)) && !uses(path)
  );
  if (acts.length > 0 && share !== undefined) {
    open.push(
      `does ${share.path} tell a skip from a play? If so, add a rule with another action before this one, with ` +
        `"when": { "${share.path}": { "below": 10 } }`,
    );
  }
  return open;
}

/** About what models learn from. */
export function aboutOutcomes({ actions }: Roles, rules: readonly RuleSettings[]): string[] {
  const open: string[] = [];
  const namesList = rules.some(({ as, fields }) => as === "interaction" && fields?.["request"] !== undefined);
  const acts = Object.entries(actions);
  const skips = acts.filter(([word]) => SKIP.test(word)).map(([word]) => word);
  if (skips.length > 0) {
    open.push(
      `${skips.join(" or ")} is taken as dislike, even of an item that was clicked before: is that right?`,
    );
  }
  const views = acts.filter(([, action]) => action === "view").map(([word]) => word);
  if (namesList && views.length > 0 && !acts.some(([, action]) => action === "click")) {
    open.push(
      `no action is a click on a list that was shown: ${
        views.join(" or ")
      } becomes view, which is no positive ` +
        "outcome; is it a click?",
    );
  }
  return open;
}
