/**
 * Items that are popular with everybody: by positives with a long half-life, and by behaviours with two short ones.
 */

import { byCounts } from "../items/scored.ts";
import { Trends } from "../items/trends.ts";
import { repeatWeight } from "../signals/context.ts";
import { durable, type SourceKind } from "./source.ts";

/** Positives by decayed popularity. The items' own records hold it, so there is nothing to learn here. */
export const POPULAR: SourceKind = {
  name: "popular",
  proposals: 40,
  weight: 0,
  create: ({ lists }) => byCounts(() => lists.popular(), lists.popularity),
};

/** Items in demand now. */
export const TRENDING: SourceKind = {
  name: "trending",
  proposals: 40,
  weight: 0.1,
  create: ({ trends }) => ({
    ...byCounts(() => trends.list(), trends.counts),
    ask: ({ time }) => trends.moveTo(time),
    learn: ({ item, time, context }) => trends.learn(item, time, repeatWeight(context, item)),
    ...durable(trends),
  }),
};

/** Wanted behaviours of this hour, since a day is long for news, and on the day of a release. */
export const THIS_HOUR: SourceKind = {
  name: "this-hour",
  proposals: 40,
  weight: 0,
  create: ({ catalogue, pace, options: { trendHalfLifeMs } }) => {
    const hour = new Trends(trendHalfLifeMs / 24, (a, b) => catalogue.compare(a, b), pace);
    return {
      ...byCounts(() => hour.list(), hour.counts),
      ask: ({ time }) => hour.moveTo(time),
      learn: ({ item, time, wanted, context }) => {
        if (wanted) hour.learn(item, time, repeatWeight(context, item));
      },
      ...durable(hour),
    };
  },
};
