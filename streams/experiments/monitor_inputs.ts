/** Inputs of the monitor: recommendations and samples that are readable and were not read before. */

import { exposuresOf, type Recommendation } from "../../src/events/recommendation.ts";
import { historySample, NO_HISTORY, type Sample } from "../../src/samples/sample.ts";
import { decodeSample, SAMPLE_FORMATS } from "../../src/samples/sample_codec.ts";
import type { LogError, LogRecord } from "../log/log.ts";
import { corruptRecord, type RecordPlace, unreadable } from "../log/unreadable.ts";
import { isOfNewerRelease } from "../topics/delivery.ts";

/** Part of the JSON of a recommendation to a user in an experiment. */
const EXPOSED = '"experiment":';

const decoder = new TextDecoder();

/** A recommendation to a user in an experiment; `null` for any other, and for an invalid one, which is reported. */
export function readRecommendation(record: LogRecord, value: Uint8Array): Recommendation | null {
  const text = decoder.decode(value);
  if (!text.includes(EXPOSED)) return null; // most users are in no experiment, and a search is cheaper than parsing
  const recommendation = parseRecommendation(text);
  if (recommendation === null) {
    unreadable.leaveOut(record, "it is not a recommendation", "no experiment counts it");
  }
  return recommendation;
}

/** Parses the fields of a recommendation that are used here; `null` when invalid. */
function parseRecommendation(text: string): Recommendation | null {
  try {
    const recommendation = JSON.parse(text) as Recommendation; // the fields used are checked below
    const { user, time, tookMicros, items } = recommendation;
    const isValid = typeof user === "string" && Number.isSafeInteger(time) && tookMicros >= 0 &&
      Array.isArray(items) &&
      exposuresOf(recommendation).every(({ experiment, variant, phase = 0 }) =>
        typeof experiment === "string" && typeof variant === "string" && Number.isSafeInteger(phase) &&
        phase >= 0
      );
    return isValid ? recommendation : null;
  } catch {
    return null;
  }
}

/**
 * The sample of a recommendation without items: nothing can be shown, so its outcome is final, and a task makes none.
 * `null` = it has items.
 */
export function emptySample(recommendation: Recommendation): Sample | null {
  const { request, user, time, items, stateVersion } = recommendation;
  if (items.length > 0) return null;
  return {
    ...historySample(user, time, NO_HISTORY),
    request: `${request}`,
    purpose: "judge",
    newUser: stateVersion === 0,
    exposures: exposuresOf(recommendation),
  };
}

/** A sample; `null` when invalid, which is reported. @throws LogError `corrupt` when a newer version of Meander wrote it */
export function readSample(record: LogRecord, value: Uint8Array): Sample | null {
  try {
    return decodeSample(value);
  } catch (cause) {
    if (isOfNewerRelease(record, SAMPLE_FORMATS)) {
      throw ofNewerVersion(record, cause);
    }
    unreadable.leaveOut(record, cause, "no experiment counts it");
    return null;
  }
}

/** The error for a record that a newer version of Meander has written. */
export function ofNewerVersion(record: RecordPlace, cause: unknown): LogError {
  return corruptRecord("watch experiments", record, cause, "it is of a newer release: run that release");
}

/** Caps the time of a recommendation or sample at that of its record. */
export function asOf<T extends { readonly time: number }>(time: number, one: T): T {
  return one.time <= time ? one : { ...one, time };
}
