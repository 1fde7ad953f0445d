/**
 * The part of a sample that is written for other programs: the list with its outcome, and the user's earlier
 * behaviours. The learner's own records contain all features in columns, and other kinds of samples.
 */

import type { Exposure } from "../assignment/exposure.ts";
import { counter, type Fields, id, name, position, probability, time } from "../events/field.ts";
import { MAX_EXPOSURES, MAX_ITEMS } from "../events/limits.ts";
import type { Sample } from "./sample.ts";

/** A shown item with its outcome. */
export interface JoinedItem {
  readonly item: string;
  /** 0 is the top; absent = unknown. */
  readonly position?: number;
  /** Probability with which the policy chose it; 1 when unknown. */
  readonly propensity: number;
  /** The prediction made when it was shown. */
  readonly prediction: number;
  /** 1 for a positive outcome. */
  readonly label: number;
  /** Sum of the values of positive interactions. */
  readonly reward: number;
}

/** A behaviour before the list. */
interface JoinedBehaviour {
  readonly item: string;
  readonly action: string;
  readonly time: number;
  readonly strength: number;
}

/** A list with its outcome. */
export interface JoinedList {
  /** Id of the request or impression. */
  readonly request: string;
  readonly user: string;
  /** Event time. */
  readonly time: number;
  /** Event time at which the outcome became final. */
  readonly closedTime: number;
  /** What the sample is for, if the label policy sets it. */
  readonly purpose?: string;
  /** The model that made the predictions, unless it is the deployment's own. */
  readonly model?: string;
  /** Version of that model's parameters. */
  readonly version: number;
  /** Experiments that the list is part of. */
  readonly exposures?: readonly Exposure[];
  /** The items as they were shown. */
  readonly items: readonly JoinedItem[];
  /** The user's earlier behaviours, oldest first. */
  readonly history: readonly JoinedBehaviour[];
}

const ITEM_FIELDS: Fields<JoinedItem> = {
  item: { ...id, about: "The item." },
  position: { ...position, optional: true, about: "0 is the top." },
  propensity: { ...probability, about: "Probability with which the policy chose the item." },
  prediction: { kind: "number", about: "The prediction made when it was shown, a probability." },
  label: { kind: "integer", minimum: 0, maximum: 1, about: "1 for a positive outcome." },
  reward: { kind: "number", about: "Sum of the values of positive interactions." },
};

const EXPOSURE_FIELDS: Fields<Exposure> = {
  experiment: { ...name, about: "Name of the experiment." },
  variant: { ...name, about: "Name of the user's variant in it." },
  phase: { ...counter, optional: true, about: "How often what the experiment compares had changed." },
};

const BEHAVIOUR_FIELDS: Fields<JoinedBehaviour> = {
  item: { ...id, about: "The item." },
  action: { ...name, about: "What was done." },
  time: { ...time, about: "Event time." },
  strength: { kind: "number", about: "Signed strength." },
};

export const JOINED_FIELDS: Fields<JoinedList> = {
  request: { ...id, about: "Id of the request or impression." },
  user: { ...id, about: "Id of the user." },
  time: { ...time, about: "Event time of the list." },
  closedTime: { ...time, about: "Event time at which the outcome became final." },
  purpose: { ...name, optional: true, about: "learn or judge, if the label policy sets it." },
  model: {
    ...name,
    optional: true,
    about: "The model that made the predictions; absent = the deployment's own.",
  },
  version: { ...counter, about: "Version of its parameters." },
  exposures: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(EXPOSURE_FIELDS) },
    minItems: 1,
    maxItems: MAX_EXPOSURES,
    optional: true,
    about: "Experiments that the list is part of.",
  },
  items: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(ITEM_FIELDS) },
    minItems: 1,
    maxItems: MAX_ITEMS,
    about: "The items as they were shown.",
  },
  history: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(BEHAVIOUR_FIELDS) },
    minItems: 0,
    maxItems: Infinity,
    about: "The user's earlier behaviours, oldest first.",
  },
};

/** The list of a sample for other programs; `null` = the sample has no list. */
export function joinedList(sample: Sample): JoinedList | null {
  const { request, user, time, closedTime, purpose, model, version, exposures = [], history, rows } = sample;
  if (rows.length === 0) return null;
  return {
    request,
    user,
    time,
    closedTime,
    version,
    ...(purpose !== undefined && { purpose }),
    ...(model !== undefined && { model }),
    ...(exposures.length > 0 && { exposures }),
    items: rows.map(({ item, position, propensity, prediction, label, reward }) => ({
      item,
      propensity,
      prediction,
      label,
      reward,
      ...(position >= 0 && { position }),
    })),
    history: history.items.map((item, t) => ({
      item,
      action: history.actions[t]!,
      time: history.times[t]!,
      strength: history.strengths[t]!,
    })),
  };
}
