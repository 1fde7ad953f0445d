/** Rules that map records whose fields have these roles. */

import { fieldOf, nameOf, ranked, WORDS } from "./field_names.ts";
import { actionOf } from "../foreign_actions.ts";
import type { RuleSettings, ValueSpec } from "../mapping_options.ts";
import { branchOf, entriesBeside, entriesOf, listOf, ofEntry } from "./nesting.ts";
import { isWithin, pathOf, type Step } from "../path.ts";
import { firstOf, isBought, MAX_KINDS, type Roles } from "./roles.ts";
import { isUnique, type SurveyedField } from "./survey.ts";

export function rulesOf(roles: Roles): RuleSettings[] {
  const { list, kind, items, inLists, shown, shared, link, listId } = roles;
  const isOrder = kind === undefined && items.length === 0 && entriesBeside(list, inLists).some(isBought);
  const acts = [...orderRules(roles), ...actRules(roles)];
  if (list === undefined || isOrder || (kind !== undefined && shown.length === 0)) return acts;
  const from = kind === undefined ? fieldsFor(roles, branchOf(listOf(list))) : roles.plain;
  const lists: RuleSettings = {
    name: "lists",
    as: "impression",
    when: kind === undefined ? { [pathOf(listOf(list))]: { exists: true } } : { [kind.path]: shown },
    fields: {
      ...shared,
      items: list.repeats ? { path: list.path, distinct: true } : list.path,
      ...(link
        ? { request: link.ofList.path }
        : listId
        ? { request: listId.path }
        : fieldOf("request", from)),
      ...fieldOf("surface", from),
    },
  };
  return kind === undefined && items.length === 0 ? [lists] : [lists, ...acts];
}

/** The rule for the entries of orders, where other records have one item each. */
function orderRules({ kind, items, bought, actions, inLists, shared }: Roles): RuleSettings[] {
  const values = Object.keys(actions);
  if (kind === undefined || bought === undefined || items.length === 0 || values.length === 0) return [];
  const each = entriesOf(bought);
  const entries = entriesBeside(bought, inLists).map((field) => ({ ...field, path: ofEntry(field) }));
  return [{
    name: "orders",
    as: "interaction",
    when: { [kind.path]: values, [each]: { exists: true } },
    each,
    fields: {
      ...shared,
      item: ofEntry(bought),
      action: { path: kind.path, values: actions },
      ...fieldOf("value", entries),
    },
  }];
}

/** Rules for interactions: for the entries of a list, for each branch with an item, or for whole records. */
function actRules(roles: Roles): RuleSettings[] {
  const { kind, items, list, actions, records } = roles;
  if (kind !== undefined && Object.keys(actions).length === 0) return [];
  if (items.length === 0 && list !== undefined) return entryActs(roles, list);
  const branches = Map.groupBy(items.slice(0, MAX_KINDS), ({ steps }) => pathOf(branchOf(steps)));
  if (kind !== undefined || branches.size < 2 || items[0]!.records >= records) return [recordAct(roles)];
  return Array.from(branches, ([name, [item]]) => branchAct(roles, name, item!)); // of `groupBy()`
}

/** An interaction for each entry of a list. */
function entryActs(roles: Roles, list: SurveyedField): RuleSettings[] {
  const { kind, actions, plain, inLists, records } = roles;
  const each = entriesOf(list), values = Object.keys(actions);
  const value = entriesBeside(list, inLists).map((field) => ({ ...field, path: ofEntry(field) }));
  const action = toldBy(roles) ?? { value: "purchase" };
  const fields = actFields(roles, { item: ofEntry(list), action }, { value, from: plain });
  const act = (name: string, when: RuleSettings["when"]): RuleSettings => {
    return { name, as: "interaction", when, each, fields };
  };
  const isThere = { [each]: { exists: true } };
  if (kind === undefined) {
    const [order] = ranked(plain.filter((field) => isUnique(field, records)), WORDS.order);
    const rule = act("purchases", isThere);
    return [{ ...rule, fields: { ...(order && { id: order.path }), ...rule.fields } }];
  }
  const when = { [kind.path]: values };
  if (list.records >= records) return [act("interactions", when)];
  return [act("interactions", { ...when, ...isThere }), { name: "without items", as: "nothing", when }];
}

/** An interaction for each record. */
function recordAct(roles: Roles): RuleSettings {
  const { kind, items, actions, plain, records } = roles;
  const [graded] = ranked(plain, WORDS.value);
  const isRating = graded !== undefined && actionOf(graded.path) === "rating";
  const action = toldBy(roles) ?? { value: isRating ? "rating" : "view" };
  return {
    name: "interactions",
    as: "interaction",
    when: kind === undefined ? { [items[0]!.path]: { exists: true } } : { [kind.path]: Object.keys(actions) },
    fields: actFields(roles, { item: firstOf(items, records)!, action }, { value: plain, from: plain }),
  };
}

/** An interaction for each record that has a branch with an item, from fields that are not of another branch. */
function branchAct(roles: Roles, name: string, { steps, path }: SurveyedField): RuleSettings {
  const from = fieldsFor(roles, branchOf(steps));
  const action = { value: actionOf(nameOf(branchOf(steps))) ?? "view" };
  const fields = actFields(roles, { item: path, action }, { value: from, from });
  return { name, as: "interaction", when: { [name]: { exists: true } }, fields };
}

/** Fields outside lists that are not in a branch with other items. */
function fieldsFor({ items, list, plain }: Roles, branch: readonly Step[]): readonly SurveyedField[] {
  const all = [...items.map(({ steps }) => steps), ...(list === undefined ? [] : [listOf(list)])];
  const others = all.map(branchOf).filter((one) => pathOf(one) !== pathOf(branch));
  return plain.filter((field) => !others.some((one) => isWithin(field.steps, one)));
}

/** The list that an act belongs to: as lists and acts have it in common, or as named. */
function requestOf({ link }: Roles, from: readonly SurveyedField[]): Record<string, ValueSpec> {
  const found = link?.ofActs.find((field) => from.includes(field));
  return found === undefined ? fieldOf("request", from) : { request: found.path };
}

/** Where the action is told; `undefined` = nowhere. */
function toldBy({ kind, actions }: Roles): ValueSpec | undefined {
  const isSame = Object.entries(actions).every(([word, action]) => word === action);
  return kind && (isSame ? kind.path : { path: kind.path, values: actions });
}

/** Fields of an interaction. @param fields those that the value may be in, and all others */
function actFields(
  roles: Roles,
  act: { readonly item: ValueSpec; readonly action: ValueSpec },
  { value, from }: { readonly value: readonly SurveyedField[]; readonly from: readonly SurveyedField[] },
): Readonly<Record<string, ValueSpec>> {
  return {
    ...roles.shared,
    ...act,
    ...fieldOf("value", value),
    ...requestOf(roles, from),
    ...fieldOf("surface", from),
  };
}
