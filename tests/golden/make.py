"""Writes the golden vectors beside this file; `--check` compares them with those that are there instead.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install numpy
    /tmp/golden/bin/python tests/golden/make.py [--check] [base dien ...]

Made with Python 3.11 and numpy 2.4; nothing else is needed, and nothing of meander is read. The numbers come from
`random.Random`, whose sequence no version of Python changes. See README.md for the layout and the sources.
"""
import json
import math
import pathlib
import random
import sys
import numpy as np
from calculus import Kink
from learning import adam, clipped, loss_case, metrics, row_adagrad
from mimn import PARTS, addressing, mimn, rebalance, write
from models import bank, base, dien, din, din_unit, example, fold

HERE = pathlib.Path(__file__).parent
B, T, K, D = 3, 4, 2, 4
XU, XC, WIDTHS = 2, 1, (5, 3)
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]])
HOLES = np.array([[0, 1, 0, 1, 1], [1, 0, 1, 1, 0], [0, 0, 0, 1, 0]])


class Draw:
    """Numbers of a seed: multiples of 1/16, which float32 holds exactly."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, *shape, scale=1.0, low=None):
        low = -scale if low is None else low
        count = math.prod(shape)
        return np.array([round(16 * self.random.uniform(low, scale)) / 16 for _ in range(count)]).reshape(shape)

    def labels(self, *shape):
        count = math.prod(shape)
        return np.array([self.random.choice((0, 1)) for _ in range(count)]).reshape(shape)

    def gru(self, n, H):
        return {f"{w}{g}": self(*s) for g in "urh" for w, s in (("W", (n, H)), ("U", (H, H)), ("b", (H,)))}

    def mlp(self, n, widths=WIDTHS, slopes=True):
        sizes, p = (n, *widths, 1), {}
        for layer in (1, 2, 3):
            p[f"W{layer}"], p[f"b{layer}"] = self(*sizes[layer - 1:layer + 1]), self(sizes[layer], scale=0.5)
            if slopes and layer < 3:
                p[f"alpha{layer}"] = self(sizes[layer], scale=0.5, low=0.1)
        return p

    def impressions(self, mask, candidates=0, d=D, xu=XU, xc=XC):
        b, t = mask.shape
        each = (b, candidates) if candidates else (b,)
        return {
            "e": self(b, t, d), "mask": mask, "q": self(*each, d), "xu": self(b, xu), "xc": self(b, xc),
            "y": self.labels(*each),
        }


FLOATS = ("e", "q", "xu", "xc")


def gru_file(draw):
    p, n, H = draw.gru(4, 3), 4, 3

    def model(p, i, form):
        states = fold(p, i["x"], i["mask"], i["h0"], i.get("a"), form)
        return {"states": states, "final": states[:, -1], "loss": np.sum(states[:, -1] * i["fixed"])}

    def case(mask, forms, h0=True, **more):
        b, t = mask.shape
        inputs = {"x": draw(b, t, n), "mask": mask, "h0": draw(b, H) * h0, "fixed": draw(b, H), **more}
        return example(model, p, inputs, forms, ("x", "h0", *more))

    plain = ("resetAfter", "resetBefore")
    yield "gru.json", {**case(MASK, plain, False), "cases": {"holes": case(HOLES, plain)}}
    # A row that ignores every step and one that takes every step whole, beside one between.
    a = draw(3, 5, scale=1, low=0)
    a[1], a[2] = 0, 1
    forms = ("augru", "agru", "aigru", "augruResetBefore", "official")
    yield "augru.json", case(np.array([[0, 1, 0, 1, 1], [1, 0, 1, 1, 0], [1, 1, 1, 1, 1]]), forms, a=a)


def base_file(draw):
    p = {"mlp": draw.mlp(XU + 2 * D + XC)}
    yield "base.json", example(base, p, draw.impressions(MASK), ("mean", "sum"), FLOATS)


def din_file(draw):
    norms = ("sigmoid", "softmax", "linear")
    attention = draw.mlp(4 * D)
    inputs = {"q": draw(B, D), "e": draw(B, T, D), "mask": MASK, "fixed": draw(B, D)}
    p = {"attention": attention, "mlp": draw.mlp(XU + 3 * D + XC)}
    yield "din.json", {
        **example(din_unit, attention, inputs, norms, ("q", "e")),
        "cases": {
            "model": example(din, p, draw.impressions(HOLES), norms, FLOATS),
            "candidates": example(din, p, draw.impressions(MASK, K), norms, FLOATS),
        },
    }


def dien_file(draw):
    p = {
        "gru1": draw.gru(D, D), "attention": {"W": draw(D, D)}, "gru2": draw.gru(D, D),
        "mlp": draw.mlp(XU + 4 * D + XC), "aux": draw.mlp(2 * D, (6, 4), False),
    }

    def case(mask, candidates, variants):
        inputs = {**draw.impressions(mask, candidates), "negative": draw(*mask.shape, D), "alpha": 0.5}
        made = example(dien, p, inputs, variants, (*FLOATS, "negative"))
        return made if mask is MASK and not candidates else {k: v for k, v in made.items() if k != "params"}

    yield "dien.json", {
        **case(MASK, 0, ("softmax", "sigmoid", "maxnorm", "sigmoidInner")),
        "cases": {"candidates": case(HOLES, K, ("softmax",))},
    }


def mimn_file(draw):
    d, m, Hc, xu, xc = 5, 3, 3, 1, 1
    p = {
        "slotKeys": draw(m, d), "M0": draw(m, d), "r0": draw(d), "controller": draw.gru(2 * d, Hc),
        "Wp": draw(Hc + m, 4 * d + 2), "bp": draw(4 * d + 2, scale=0.5), "Wg": draw(m, m, scale=3),
        "miu": draw.gru(2 * d, d),
        "reader": {"Wq": draw(d, d), "bq": draw(d), "beta": draw(1), "W": draw(d, d)},
        "mlp": draw.mlp(xu + 5 * d + xc, (4, 2)),
    }
    standard = {"kappa": 1, "slotKeyWeight": 0.5, "rho": 1, "lambda": 0.1}
    inputs = draw.impressions(MASK, K, d, xu, xc)

    def case(name, inputs=inputs, p=p, **config):
        config = {**standard, **config}
        made = example(lambda p, i, _: mimn(p, i, config, name == "regOnly"), p, inputs, (name,), FLOATS)
        kept = ("logit", "reg", "loss") if name != "regOnly" else ("reg",)
        course = ("states",) if name in ("main", "window") else ()
        weighed = {"main": ("readWeight", "writeWeight", "chosen"), "kappa2": ("chosen",), "holes": ("chosen",)}
        out = made["outputs"][name]
        found = {k: out[k] for k in (*course, *kept, *weighed.get(name, ()))}
        if "states" in found:
            found["states"] = {k: np.real(x) for k, x in found["states"].items()}
        made["outputs"][name] = found
        return {**made, "config": config}

    cases = {
        "kappa2": case("kappa2", kappa=2), "slotKeysOnly": case("slotKeysOnly", slotKeyWeight=1),
        "regOnly": case("regOnly", **{"lambda": 1}),
    }
    loud = p["bp"].copy()
    loud[[d, 2 * d + 2]] = 24  # beta of the reading head and the first erase: beyond the clip
    cases["clip"] = case("clip", p={**p, "bp": loud})
    cases["holes"] = case("holes", draw.impressions(HOLES, K, d, xu, xc))
    S = draw(B, m, d)
    S[:, 1] = 0  # a channel that was not touched yet
    start = dict(zip(PARTS, (
        draw(B, m, d), draw(B, d), draw(B, Hc), draw(B, m, scale=3, low=0.5), draw(B, d), S, np.array([7, 3, 9]),
    )))
    window = {**draw.impressions(MASK[:, 1:], K, d, xu, xc), "start": start}
    cases["window"] = case("window", window, rho=0.999)
    for name, made in cases.items():
        for part in ("params", "inputs"):
            if name not in {"params": ("clip",), "inputs": ("holes", "window")}[part]:
                del made[part]
    alone = {
        "addressing": example(addressing, {}, {"k": draw(2), "M": draw(3, 2)}, ("beta1", "beta2"), ("k", "M"), True),
        "write": example(write, {}, {
            "M": draw(3, 2), "w": draw(3, low=0), "erase": draw(2, low=0), "add": draw(2), "fixed": draw(3, 2),
        }, ("write",), ("M", "w", "erase", "add"), True),
        "rebalance": example(rebalance, {"Wg": draw(3, 3)}, {
            "g": draw(3, scale=3, low=0.5), "w": draw(3, low=0.1), "fixed": draw(3),
        }, ("rebalance",), ("g", "w"), True),
    }
    yield "mimn.json", {**case("main"), "cases": {**cases, **alone}}


def bank_file(draw):
    d = 3
    p = {"mix": draw(4, d, d), "gap": draw(7, d), "strength": draw(6, d)}

    def case(row, gap_ms, kinds, strengths):
        inputs = {
            "e": draw(len(kinds), d), "out": draw(6, d + 1), "logExpected": draw(6),
            "row": row, "gapMs": gap_ms, "kinds": kinds, "strengths": strengths,
        }
        inputs["logExpected"][0] = 0
        return example(bank, p, inputs, ("softmax",), ("e", "out"))

    main = case(2, 60_000, [3, 0, 5, 1, 4], [1, -3, 2.5, 0, 1.5])
    cases = {"one": case(0, 0, [2], [0.25]), "late": case(5, 1e10, [3, 3, 0], [1, 0.75, -1])}
    for made in cases.values():
        del made["params"]
    yield "bank.json", {**main, "cases": cases}


def losses_file(draw):
    cases = {}
    for name, kind, extra in (
        ("bce", "bce", None), ("bceExtreme", "bce", None), ("logOdds", "logOdds", "r"), ("fnw", "fnw", None),
        ("late", "late", "phi"),
    ):
        z, y = draw(6, scale=2), np.array([1, 0, 1, 1, 0, 0])
        if name == "bceExtreme":
            z, y = np.array([-90.0, -35, 35, 90, -90, 90]), np.array([0, 0, 1, 1, 1, 0])
        inputs, out, grads = loss_case(z, y, kind, **({extra: draw(6, low=0.05)} if extra else {}))
        cases[name] = {"params": {}, "inputs": inputs, "outputs": {name: out}, "grads": {name: grads}}
    # Few users and few scores, so that scores tie; the last two users have one label alone.
    user = np.array([draw.random.randint(1, 4) for _ in range(26)] + [5, 5, 6])
    y = np.append(draw.labels(26), [1, 1, 0])
    p = np.array([draw.random.randint(1, 15) / 16 for _ in user])
    rows = {"metrics": (user, y, p), "oneLabel": (np.array([1, 1, 2]), np.ones(3, int), np.array([0.25, 0.5, 0.625]))}
    for name, (user, y, p) in rows.items():
        figures = ["logLoss", "calibration", "auc", "gauc", "ne"]
        figures += ["naiveLogLoss", "aucOfTenBins"] if name == "metrics" else []
        cases[name] = {
            "params": {}, "inputs": {"user": user, "y": y, "p": p}, "grads": {},
            "outputs": {"metrics": {k: v for k, v in metrics(user, y, p).items() if k in figures}},
        }
    yield "losses.json", {"params": {}, "inputs": {}, "outputs": {}, "grads": {}, "cases": cases}


def optim_file(draw):
    blocks = lambda scale=1.0: {"W": draw(2, 3, scale=scale), "b": draw(3, scale=scale)}
    steps = [blocks() for _ in range(4)]
    for gradient in steps:
        gradient["b"][1] = 0  # never a gradient: the weight stays
    # Nobody's defaults, and epsilons that are not negligible, so that their place in the formula shows.
    config = {"lr": 0.03, "beta1": 0.8, "beta2": 0.95, "epsilon": 0.01}
    params = blocks()
    cases = {"adam": {
        "config": config, "params": params, "inputs": {"gradients": steps},
        "outputs": {"adam": adam(params, steps, **config)},
    }}
    table, ids = draw(5, 3), [[1, 3], [3, 3, 2], [2, 1, 2], [0, 4]]
    sums = [draw(len(these), 3) for these in ids]
    config = {"lr": 0.03, "epsilon": 0.01}
    cases["adagrad"] = {
        "config": config, "params": {"table": table}, "inputs": {"ids": ids, "gradients": sums},
        "outputs": {"adagrad": row_adagrad(table, ids, sums, **config)},
    }
    draw(6, 4), draw.labels(6)  # not used: the draws below stay what they were
    given = {"small": blocks(), "large": blocks(9), "zero": {"W": np.zeros((2, 3)), "b": np.zeros(3)}}
    cases["clip"] = {
        "config": {"clipNorm": 5}, "params": {}, "inputs": given,
        "outputs": {name: clipped(gradient, 5) for name, gradient in given.items()},
    }
    for case in cases.values():
        case["grads"] = {}
    yield "optim.json", {"params": {}, "inputs": {}, "outputs": {}, "grads": {}, "cases": cases}


def plain(value, unit):
    """As JSON, rounded to a unit relative to the largest number of an array; to nine digits each if that is 0."""
    if isinstance(value, dict):
        return {name: plain(x, unit and (2e-5 if name == "grads" else unit)) for name, x in value.items()}
    if isinstance(value, list) and any(not isinstance(x, (int, float)) for x in value):
        return [plain(x, unit) for x in value]
    if value is None or isinstance(value, (str, int)):
        return value
    array = np.asarray(value)
    if array.dtype.kind in "bi":
        return array.astype(int).tolist()
    most = max(5e-3, float(np.max(np.abs(array), initial=0)))
    places = math.ceil(-math.log10(unit * most)) if unit else 0

    def number(x):
        if unit == 0:
            x = float(f"{x:.9g}")
        elif x * 128 != round(x * 128):
            x = round(float(x), places)
        return int(x) if x == int(x) else float(x)

    nest = lambda x: [nest(y) for y in x] if isinstance(x, list) else number(x)
    return nest(array.tolist())


def near(a, b):
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(near(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(near, a, b))
    return a == b or None not in (a, b) and abs(a - b) <= 2e-5 * max(0.1, abs(a))


def main():
    total, failed = 0, False
    named = [name for name in sys.argv[1:] if not name.startswith("-")]
    for make in (gru_file, base_file, din_file, dien_file, mimn_file, bank_file, losses_file, optim_file):
        if named and make.__name__.removesuffix("_file") not in named:
            continue
        for seed in range(1, 1000):
            try:
                made = list(make(Draw(f"{make.__name__} {seed}")))
                break
            except Kink:
                continue
        for name, content in made:
            content = plain(content, 0 if name == "losses.json" else 1e-6)
            text = json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
            total += len(text)
            path = HERE / name
            if "--check" in sys.argv:
                same = path.exists() and near(content, json.loads(path.read_text()))
                failed |= not same
                print(name, "is the same" if same else "DIFFERS")
            else:
                path.write_text(text)
                print(f"{name}: seed {seed}, {len(text)} bytes")
    print(f"{total} bytes in all")
    sys.exit(failed)


main()
