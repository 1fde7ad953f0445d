"""MIMN with a direct reader: memory, induction unit, usage; over histories or over a stored state."""
import numpy as np
from calculus import apart, sigmoid, softmax, softplus, stop
from models import cross_entropy, gru_step, mlp, per_candidate

PARTS = ("M", "r", "c", "g", "A", "S", "n")


def cosine(k, M):
    """[..., D] and [..., m, D] -> [..., m]; no slot is without direction here."""
    norm = lambda x: np.sqrt(np.sum(x * x, -1))
    return np.sum(k[..., None, :] * M, -1) / (norm(k)[..., None] * norm(M))


def weights(key, beta, slots, M, share):
    return softmax(beta[..., None] * (share * cosine(key, slots) + (1 - share) * cosine(key, M)))


def shares(g):
    total = np.sum(g, -1, keepdims=True)
    return g / np.where(np.real(total) > 1, total, 1)


def rebalanced(w, g, Wg):
    P = softmax(shares(g) @ Wg)
    return P, w * P / np.sum(w * P, -1, keepdims=True)


def written(M, w, erase, add):
    w = w[..., :, None]
    return M * (1 - w * erase[..., None, :]) + w * add[..., None, :]


def step(p, config, s, e):
    """Returns the next state, and what was read, written and chosen."""
    D, m = s["r"].shape[-1], s["g"].shape[-1]
    c = gru_step(p["controller"], np.concatenate([e, s["r"]], -1), s["c"])
    raw = np.concatenate([c, stop(shares(s["g"]))], -1) @ p["Wp"] + p["bp"]
    apart(np.abs(np.real(raw)) - 20)
    theta = np.where(np.real(raw) > 20, 20, np.where(np.real(raw) < -20, -20, raw))
    kr, br, kw, bw, er, ad = np.split(theta, np.cumsum([D, 1, D, 1, D]), -1)
    keys, slots, share = (np.tanh(kr), np.tanh(kw)), p["slotKeys"], config["slotKeyWeight"]
    beta = [2 * (1 + softplus(b[..., 0])) for b in (br, bw)]
    wr = weights(keys[0], beta[0], slots, s["M"], share)
    _, w = rebalanced(weights(keys[1], beta[1], slots, s["M"], share), s["g"], p["Wg"])
    order = np.argsort(-np.real(wr), -1, kind="stable")
    chosen = np.argsort(order, -1) < config["kappa"]
    ranked = np.sort(np.real(wr), -1)
    if config["kappa"] < m:
        apart(ranked[..., -config["kappa"]] - ranked[..., -config["kappa"] - 1])
    seen = np.concatenate([stop(s["M"]), np.repeat(e[..., None, :], m, -2)], -1)
    ad, erase = np.tanh(ad), sigmoid(er)
    after = {
        "M": written(s["M"], w, erase, ad), "r": np.einsum("bm,bmd->bd", wr, s["M"]), "c": c,
        "g": config["rho"] * s["g"] + w, "A": s["A"] + ad,
        "S": np.where(chosen[..., None], gru_step(p["miu"], seen, s["S"]), s["S"]), "n": s["n"] + 1,
    }
    return after, wr, w, chosen


def mimn(p, i, config, reg_only=False):
    e, mask, q = i["e"], i["mask"], i["q"]
    (B, T, D), K = e.shape, q.shape[1]
    m, Hc = p["M0"].shape[0], p["controller"]["bu"].size
    start = i.get("start") or {
        "M": np.repeat(p["M0"][None], B, 0), "r": np.repeat(p["r0"][None], B, 0), "c": np.zeros((B, Hc)),
        "g": np.zeros((B, m)), "A": np.zeros((B, D)), "S": np.zeros((B, m, D)), "n": np.zeros(B),
    }
    s, states, seen = dict(start), {part: [] for part in PARTS}, {"readWeight": [], "writeWeight": [], "chosen": []}
    for t in range(T):
        after, *found = step(p, config, s, e[:, t])
        on = lambda x: (mask[:, t] == 1).reshape((B,) + (1,) * (x.ndim - 1))
        s = {part: np.where(on(x), x, s[part]) for part, x in after.items()}
        for part in PARTS:
            states[part].append(s[part])
        for name, x in zip(seen, found):
            seen[name].append(np.where(on(x), x, 0))
    reader = p["reader"]
    key, beta = np.tanh(q @ reader["Wq"] + reader["bq"]), 1 + softplus(reader["beta"])
    memory = np.repeat(s["M"][:, None], K, 1)
    wq = weights(key, beta * np.ones((B, K)), p["slotKeys"], memory, config["slotKeyWeight"])
    rq = np.einsum("bkm,bmd->bkd", wq, s["M"])
    touched = np.any(np.real(s["S"]) != 0, -1)
    scores = np.einsum("bmh,hd,bkd->bkm", s["S"], reader["W"], q)
    v = np.einsum("bkm,bmh->bkh", softmax(scores, touched[:, None]), s["S"])
    average = per_candidate(s["A"] / np.maximum(1, np.real(s["n"]))[:, None], K)
    x = [per_candidate(i["xu"], K), q, rq, v, q * average, q * v, per_candidate(i["xc"], K)]
    logit = mlp(p["mlp"], np.concatenate(x, -1))
    total = np.sum(s["g"], -1, keepdims=True)
    uneven = np.sum((s["g"] / np.where(np.real(total) == 0, 1, total) - 1 / m) ** 2, -1)
    reg = config["lambda"] * np.where(np.real(s["n"]) > 0, uneven, 0)
    loss = np.mean(reg) if reg_only else cross_entropy(logit, i["y"]) + np.mean(reg)
    stacked = lambda named: {name: np.stack(x, 1) for name, x in named.items()}
    return {"states": stacked(states), **stacked(seen), "logit": logit, "reg": reg, "loss": loss}


def addressing(p, i, variant):
    w = softmax({"beta1": 1, "beta2": 2}[variant] * cosine(i["k"], i["M"]))
    return {"w": w, "loss": w @ i["M"] @ np.array([1, -2])}


def write(p, i, _):
    M = written(i["M"], i["w"], i["erase"], i["add"])
    return {"M": M, "loss": np.sum(M * i["fixed"])}


def rebalance(p, i, _):
    P, w = rebalanced(i["w"], i["g"], p["Wg"])
    return {"P": P, "w": w, "loss": np.sum(w * i["fixed"])}
