"""Losses, metrics and optimisers."""
import numpy as np
from calculus import gradients, sigmoid, softplus, stop


def late_weights(z, phi):
    """Of clicks that come after the window with probability phi; phi = 1 is the fake-negative weighting."""
    p = stop(sigmoid(z))
    return 1 + p * phi, (1 - p) * (1 + p * phi) / (1 - p + p * phi)


def loss_case(z, y, kind, **extra):
    inputs = {"z": z, "y": y, **extra}

    def each(z):
        if kind == "logOdds":
            z = z - np.log(extra["r"])
        if kind not in ("fnw", "late"):
            return softplus(z) - y * z
        positive, negative = late_weights(z, extra.get("phi", 1))
        return y * positive * softplus(-z) + (1 - y) * negative * softplus(z)

    out = {"each": each(z), "loss": np.mean(each(z))}
    if kind == "logOdds":
        out |= {"pSampled": sigmoid(z - np.log(extra["r"])), "pServed": sigmoid(z + np.log(extra["r"]))}
    elif kind != "bce":
        out |= dict(zip(("weightPositive", "weightNegative"), late_weights(z, extra.get("phi", 1))), p=sigmoid(z))
    else:
        out["p"] = sigmoid(z)
    grad = gradients(lambda tree: np.mean(each(tree["z"])), {"z": z})
    return inputs, out, {"params": {}, "inputs": grad}


def area(y, p):
    """Pairs of a positive and a negative that are in order; ties count one half. None without a pair."""
    won = [1.0 if a > b else 0.5 if a == b else 0.0 for a in p[y == 1] for b in p[y == 0]]
    return sum(won) / len(won) if won else None


def metrics(user, y, p):
    log_loss, rate = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), np.mean(y)
    naive = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)) if 0 < rate < 1 else None
    areas = [(np.sum(user == u), area(y[user == u], p[user == u])) for u in sorted(set(user))]
    known = [(n, a) for n, a in areas if a is not None]
    bins = np.minimum(9, np.floor(10 * p)).astype(int)
    return {
        "logLoss": log_loss, "naiveLogLoss": naive, "ne": None if naive is None else log_loss / naive,
        "calibration": np.sum(p) / np.sum(y), "auc": area(y, p), "aucOfTenBins": area(y, bins),
        "gauc": sum(n * a for n, a in known) / sum(n for n, _ in known) if known else None,
    }


def adam(params, steps, lr, beta1, beta2, epsilon):
    w, m, v, found = {**params}, {k: 0 * x for k, x in params.items()}, {k: 0 * x for k, x in params.items()}, []
    for t, gradient in enumerate(steps, 1):
        for name, g in gradient.items():
            m[name] = beta1 * m[name] + (1 - beta1) * g
            v[name] = beta2 * v[name] + (1 - beta2) * g * g
            rate = lr / (1 - beta1**t)
            w[name] = w[name] - rate * m[name] / (np.sqrt(v[name] / (1 - beta2**t)) + epsilon)
        found.append({"params": {**w}})
    return {"steps": found}


def row_adagrad(table, ids, steps, lr, epsilon):
    """One accumulator G per row, of the mean square of its summed gradient."""
    table, G, found = table.copy(), np.zeros(len(table)), []
    for these, gradient in zip(ids, steps):
        for row in sorted(set(these)):
            g = sum(gradient[j] for j, other in enumerate(these) if other == row)
            G[row] += np.mean(g * g)
            table[row] -= lr * g / np.sqrt(G[row] + epsilon)
        found.append({"table": table.copy(), "G": G.copy()})
    return {"steps": found}


def clipped(blocks, most):
    norm = np.sqrt(sum(np.sum(g * g) for g in blocks.values()))
    scale = min(1, most / norm) if norm > 0 else 1
    return {"norm": norm, "clipped": {name: g * scale for name, g in blocks.items()}}
