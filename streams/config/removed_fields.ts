/** Fields that the configuration had in an earlier release. */

import { variableOf } from "../settings/config_environment.ts";

/** What became of a field, by its path: the remedy for a file that still sets it. */
const REMOVED: Readonly<Record<string, string>> = {
  "features.transitions.decay": "remove it: each rank counts half as much as the one before",
  "guard.maxCalibration": "remove it: the guard always allows half to twice as many clicks as predicted",
  "guard.minCalibration": "remove it: the guard always allows half to twice as many clicks as predicted",
  "http.maxBehind": "remove it, or set http.maxBehindMs: a time instead of a number of events",
  "kafka.authenticationTimeoutMs": "remove it: 10 s are always allowed",
  "kafka.bufferBytes": "remove it: 64 MiB are always read ahead at most",
  "kafka.fetchBytes": "remove it: a fetch always returns about 1 MiB at most",
  "kafka.reauthenticationThresholdMs": "remove it: logins are always renewed 10 s before they expire",
  "kafka.tls.serverName": "remove it: certificates have to name the host that is connected to",
  "learnHistories":
    "remove it: only lists are learnt from; see docs/decisions/0118-behaviours-without-a-list.md",
  "learner.calibrationRate": 'remove it: use "labelPolicy": "fnw" for clicks that come late',
  "learner.crossLearningRate":
    "remove it: it is always 0.2; learner.deviations.transition and .age bound these weights",
  "learner.pairLearningRate": "set learner.firstOrderLearningRate, which is that of pairs, too",
  "models.dien.attentionWidths": 'remove it: attention is "bilinear" or "none"',
  "models.dien.skipError": "remove it: no step of a history is skipped",
  "models.mimn.inputGain": "remove it: it is always 1",
  "models.mimn.scoreMode": "remove it: scores are always direct",
  "models.mimn.sharpness": "remove it: it always has its former default",
  "retrieval.neighbours.dislikedWeight": "remove it: disliked items do not count",
};

/** What to do about a field that was removed; `undefined` for any other. */
export function remedyOfRemoved(path: readonly (string | number)[]): string | undefined {
  const name = path.join(".");
  return Object.hasOwn(REMOVED, name) ? REMOVED[name] : undefined;
}

/** What to do about each environment variable that set a removed field, by its name. */
export function removedVariables(): ReadonlyMap<string, string> {
  return new Map(Object.entries(REMOVED).map(([path, remedy]) => [variableOf(path.split(".")), remedy]));
}
