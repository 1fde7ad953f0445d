/** Suggests mappings for the sources of one deployment, whose records name the same users, items and lists. */

import type { MappingSettings, RuleSettings } from "../mapping_options.ts";
import { ranked, WORDS } from "./field_names.ts";
import { sharedId } from "./shared_ids.ts";
import { suggest, type Suggestion } from "./suggestion.ts";
import { survey, type SurveyedField } from "./survey.ts";

/** Records of a source. */
export interface Sampled {
  readonly name: string;
  readonly values: readonly unknown[];
  /** Whether they are of a topic, and have keys. */
  readonly isKeyed: boolean;
}

/** Suggests a mapping for each source; clicks of one may belong to lists that another one shows. */
export function suggestTogether(sources: readonly Sampled[]): readonly Suggestion[] {
  const first = sources.map(({ values, isKeyed }) => suggest(values, { isKeyed }));
  const hasLogins = first.some(({ mapping }) => makes(mapping, "alias"));
  const all = hasLogins
    ? sources.map(({ values, isKeyed }) => suggest(values, { isKeyed, hasLogins }))
    : first;
  for (const [i, { mapping }] of all.entries()) {
    if (!makes(mapping, "impression")) continue;
    for (const [j, { mapping: acts, open }] of all.entries()) {
      if (makes(acts, "impression") || !makes(acts, "interaction")) continue;
      const link = sharedId(idsIn(sources[i]!), idsIn(sources[j]!));
      const [ofActs] = link?.ofActs ?? [];
      if (link === undefined || ofActs === undefined) continue;
      const { ofList } = link;
      all[i] = { ...all[i]!, mapping: withRequest(mapping, "impression", ofList.path) };
      all[j] = {
        mapping: withRequest(acts, "interaction", ofActs.path),
        open: [
          ...open,
          `${ofActs.path} names the list that was shown, by its values: they are those of ${ofList.path} in ` +
          sources[i]!.name,
        ],
      };
    }
  }
  return all;
}

function makes({ rules = [] }: MappingSettings, type: RuleSettings["as"]): boolean {
  return rules.some(({ as }) => as === type);
}

/** Fields that may be the id of a list: those named like one first, and none of users. */
function idsIn({ values }: Sampled): readonly SurveyedField[] {
  const fields = survey(values);
  const users = ranked(fields, WORDS.user);
  const plain = fields.filter((field) =>
    !field.steps.includes(null) && !field.types.includes("list") && !users.includes(field)
  );
  return [...new Set([...ranked(plain, WORDS.request), ...plain])];
}

function withRequest(mapping: MappingSettings, type: RuleSettings["as"], request: string): MappingSettings {
  const rules = mapping.rules?.map((rule) =>
    rule.as === type ? { ...rule, fields: { ...rule.fields, request } } : rule
  );
  return { ...mapping, rules };
}
