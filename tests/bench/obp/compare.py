"""Reads logs from compare.ts and prints our estimates beside those of the package obp (Open Bandit Pipeline)."""

import json
import sys

import numpy as np
from obp.ope.estimators import (
    DoublyRobust,
    InverseProbabilityWeighting,
    SelfNormalizedInverseProbabilityWeighting,
)
from obp.ope.estimators_slate import SlateCascadeDoublyRobust, SlateRewardInteractionIPS, SlateStandardIPS


def single(lists):
    """Lists of one place. Two actions stand for all: the logged one, and what is left of the expectation."""
    target, logged, reward, predicted, expected = (
        np.array([places[0][key] for places in lists])
        for key in ("target", "logged", "reward", "predicted", "expected")
    )
    n = len(lists)
    rest = (expected - target * predicted) / (1 - target)
    dist = np.stack([target, 1 - target], axis=1)[:, :, None]
    q = np.stack([predicted, rest], axis=1)[:, :, None]
    base = dict(reward=reward, action=np.zeros(n, int), pscore=logged, action_dist=dist, position=np.zeros(n, int))
    return {
        "ips": InverseProbabilityWeighting().estimate_policy_value(**base),
        "snips": SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**base),
        "dr": DoublyRobust().estimate_policy_value(**base, estimated_rewards_by_reg_model=q),
    }


def slates(lists, slate):
    """Lists of several places. Its DR is of cascades alone, and it normalises by other sums than ours: no SNIPS."""
    n, length = len(lists), len(lists[0])
    column = lambda key: np.array([[place[key] for place in places] for places in lists])
    weight = lambda key: np.cumprod(column(key), axis=1)
    logged, target = weight("logged"), weight("target")
    base = dict(
        slate_id=np.repeat(np.arange(n), length),
        reward=column("reward").ravel(),
        position=np.tile(np.arange(length), n),
    )
    if slate == "standard":
        whole = lambda joint: np.repeat(joint[:, -1], length)
        return {
            "ips": SlateStandardIPS(len_list=length).estimate_policy_value(
                **base, pscore=whole(logged), evaluation_policy_pscore=whole(target)
            )
        }
    cascade = dict(pscore_cascade=logged.ravel(), evaluation_policy_pscore_cascade=target.ravel())
    # Action 0 is the logged one; the policy always takes action 1, of which the model expects what it expects of it.
    q = np.stack([column("predicted"), column("expected")], axis=2).ravel()
    return {
        "ips": SlateRewardInteractionIPS(len_list=length).estimate_policy_value(**base, **cascade),
        "dr": SlateCascadeDoublyRobust(len_list=length, n_unique_action=2).estimate_policy_value(
            **base,
            **cascade,
            action=np.zeros(n * length, int),
            q_hat=q,
            evaluation_policy_action_dist=np.tile([0.0, 1.0], n * length),
        ),
    }


print("| log | estimator | ours | obp | relative difference |\n| --- | --- | --- | --- | --- |")
worst = 0.0
for line in sys.stdin:
    log = json.loads(line)
    theirs = single(log["lists"]) if len(log["lists"][0]) == 1 else slates(log["lists"], log["slate"])
    for name, value in theirs.items():
        gap = abs(log["ours"][name] / value - 1)
        worst = max(worst, gap)
        print(f"| {log['name']} | {name} | {log['ours'][name]:.6g} | {value:.6g} | {gap:.1e} |")
if worst > 1e-9:
    sys.exit(f"the largest difference is {worst:.1e}, wanted is at most 1e-9")
