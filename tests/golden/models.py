"""GRU and its attentional forms, Base, DIN and DIEN, from their formulas (see the README for the papers)."""
import numpy as np
from calculus import gradients, prelu, sigmoid, softmax, softplus


def gru_step(p, x, h, a=None, form="augru"):
    """u is the write gate, but the keep gate of `official`; reset after the product, but before it in two forms."""
    if form == "aigru":
        x = x * a
    u = sigmoid(x @ p["Wu"] + h @ p["Uu"] + p["bu"])
    r = sigmoid(x @ p["Wr"] + h @ p["Ur"] + p["br"])
    before = form in ("resetBefore", "augruResetBefore", "official")
    c = np.tanh(x @ p["Wh"] + ((r * h) @ p["Uh"] if before else r * (h @ p["Uh"])) + p["bh"])
    plain = a is None or form == "aigru"
    write = u if plain else a + 0 * u if form == "agru" else 1 - (1 - a) * u if form == "official" else a * u
    return (1 - write) * h + write * c


def fold(p, x, mask, h, a=None, form="augru"):
    """States [B, T, H] after each step; a masked step carries the state."""
    states = []
    for t in range(x.shape[1]):
        at = None if a is None else a[:, t, None]
        h = np.where(mask[:, t, None] == 1, gru_step(p, x[:, t], h, at, form), h)
        states.append(h)
    return np.stack(states, 1)


def mlp(p, x, hidden=None):
    """Two hidden layers and one number; PReLU with a slope per unit if no other activation is given."""
    first, second = x @ p["W1"] + p["b1"], None
    first = hidden(first) if hidden else prelu(first, p["alpha1"])
    second = first @ p["W2"] + p["b2"]
    second = hidden(second) if hidden else prelu(second, p["alpha2"])
    return (second @ p["W3"] + p["b3"])[..., 0]


def cross_entropy(logit, y):
    return np.mean(softplus(logit) - y * logit)


def per_candidate(x, K):
    """[B, n] -> [B, K, n]."""
    return np.repeat(x[:, None], K, 1)


def base(p, i, pooling):
    n = i["mask"].sum(1, keepdims=True)
    s = np.sum(i["e"] * i["mask"][..., None], 1)
    if pooling == "mean":
        s = s / np.maximum(1, n)
    logit = mlp(p["mlp"], np.concatenate([i["xu"], i["q"], s, i["xc"]], -1))
    return {"logit": logit, "loss": cross_entropy(logit, i["y"])}


def attend(p, e, mask, q, norm):
    """DIN: scores g and weights w [B, K, T], pooled v [B, K, d]."""
    K, T = q.shape[1], e.shape[1]
    e4, q4 = np.repeat(e[:, None], K, 1), np.repeat(q[:, :, None], T, 2)
    valid = mask[:, None] == 1
    g = np.where(valid, mlp(p, np.concatenate([q4, e4, q4 - e4, q4 * e4], -1)), 0)
    w = softmax(g, valid) if norm == "softmax" else np.where(valid, sigmoid(g) if norm == "sigmoid" else g, 0)
    v = np.einsum("bkt,btd->bkd", w, e)
    if norm != "softmax":
        v = v / np.sqrt(np.maximum(1, mask.sum(1)))[:, None, None]
    return g, w, v


def din_unit(p, i, norm):
    g, w, v = (x[:, 0] for x in attend(p, i["e"], i["mask"], i["q"][:, None], norm))
    return {"g": g, "w": w, "v": v, "loss": np.sum(v * i["fixed"])}


def with_candidates(q):
    return q if q.ndim == 3 else q[:, None]


def din(p, i, norm):
    q = with_candidates(i["q"])
    K = q.shape[1]
    _, w, v = attend(p["attention"], i["e"], i["mask"], q, norm)
    x = [per_candidate(i["xu"], K), q, v, q * v, per_candidate(i["xc"], K)]
    logit = mlp(p["mlp"], np.concatenate(x, -1)).reshape(i["y"].shape)
    single = i["q"].ndim == 2
    return {**({"w": w[:, 0], "v": v[:, 0]} if single else {}), "logit": logit, "loss": cross_entropy(logit, i["y"])}


def normalised(score, valid, norm):
    if norm == "softmax":
        return softmax(score, valid)
    if norm == "sigmoid":
        return np.where(valid, sigmoid(score), 0)
    real = np.where(valid, np.real(score), -np.inf)
    top = np.take_along_axis(score, np.argmax(real, -1)[..., None], -1)
    return np.where(valid, np.exp(np.where(valid, score - top, 0)), 0)


def dien(p, i, variant):
    inner = variant == "sigmoidInner"
    q, e, mask = with_candidates(i["q"]), i["e"], i["mask"]
    (B, T, _), K = e.shape, q.shape[1]
    H = p["gru1"]["bu"].size
    h = fold(p["gru1"], e, mask, np.zeros((B, H)))
    valid = np.broadcast_to(mask[:, None] == 1, (B, K, T))
    score = np.where(valid, np.einsum("bth,hd,bkd->bkt", h, p["attention"]["W"], q), 0)
    a = normalised(score, valid, "sigmoid" if inner else variant)
    final = np.stack([fold(p["gru2"], h, mask, np.zeros((B, H)), a[:, k])[:, -1] for k in range(K)], 1)
    mean = np.sum(e * mask[..., None], 1) / np.maximum(1, mask.sum(1, keepdims=True))
    means = per_candidate(mean, K)
    x = [per_candidate(i["xu"], K), q, means, q * means, final, per_candidate(i["xc"], K)]
    logit = mlp(p["mlp"], np.concatenate(x, -1)).reshape(i["y"].shape)
    # h of the step before knows the next behaviour from a drawn one; a pair needs an earlier valid step.
    pair = mask[:, 1:] * (np.cumsum(mask, 1)[:, :-1] > 0)

    def likeness(of):
        if inner:
            return np.sum(h[:, :-1] * of[:, 1:], -1)
        return mlp(p["aux"], np.concatenate([h[:, :-1], of[:, 1:]], -1), sigmoid)

    aux = np.sum(pair * (softplus(-likeness(e)) + softplus(likeness(i["negative"])))) / max(1, pair.sum())
    loss = cross_entropy(logit, i["y"]) + i["alpha"] * aux
    shaped = (lambda x: x) if i["q"].ndim == 3 else (lambda x: x[:, 0])
    return {
        "h": h, "score": shaped(score), "attention": shaped(a), "final": shaped(final), "mean": mean,
        "logit": logit, "aux": aux, "loss": loss,
    }


def bank(p, i, _=None):
    """A query from decayed sums of behaviours, and the sampled softmax of the item that came, the first of `out`."""
    T, d = i["e"].shape
    query = p["gap"][i["row"]]
    for q, decay in enumerate((0, 0.6, 0.85, 0.97)):
        mean = sum((decay ** (T - 1 - t) * (i["e"][t] + p["strength"][i["kinds"][t]]) for t in range(T)), np.zeros(d))
        query = query + np.sqrt(1 - decay ** 2) * mean @ p["mix"][q]
    scores = i["out"][:, :d] @ query + i["out"][:, d] - i["logExpected"]
    return {"query": query, "loss": -np.log(softmax(scores)[0])}


def example(model, params, inputs, variants, through, part=False):
    """One case: outputs and gradients of every variant. `through` names the inputs with gradients.

    The loss of a part of a model only serves to have a gradient, and is left out.
    """
    outputs, grads = {}, {}
    for variant in variants:
        got = model(params, inputs, variant)
        outputs[variant] = {k: v for k, v in got.items() if not (part and k == "loss")}

        def loss(tree):
            return model(tree["params"], {**inputs, **tree["inputs"]}, variant)["loss"]

        grads[variant] = gradients(loss, {"params": params, "inputs": {k: inputs[k] for k in through}})
    return {"params": params, "inputs": inputs, "outputs": outputs, "grads": grads}
