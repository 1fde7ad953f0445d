"""Writes the golden vectors of the pair head with PyTorch's automatic gradients; `--check` compares them instead.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install numpy torch
    /tmp/golden/bin/python tests/golden/pair_head.py [--check]

Float64. The formulas stand at the top of src/nn/models/pair_head/pair_head.ts; nothing else of meander is read.
"""
import json
import pathlib
import random
import sys
import torch

FILE = pathlib.Path(__file__).parent / "pair_head.json"
H, P, B, N, U, M = 4, 3, 2, 5, 3, 6
KINK = 3e-4  # no branch may be decided by less, so that float32 takes the same one
draws = random.Random(7)


def draw(*shape, scale=1.0):
    """Multiples of 1/16, which float32 holds exactly."""
    count = 1
    for n in shape:
        count *= n
    numbers = [round(16 * draws.uniform(-scale, scale)) / 16 for _ in range(count)]
    return torch.tensor(numbers, dtype=torch.float64).reshape(shape)


def forward(p, i):
    ages = torch.exp(p["alpha"][:i["pairs"].shape[1]])
    before = i["pairs"] @ p["W1"] + p["b1"]
    v = torch.relu(before) @ p["W2"] + p["b2"]
    u = 0.3 * (v * ages).sum(1)
    x = torch.cat([0.5 * i["blend"], 0.2 * i["scores"][:, None], u], 1)
    above = x @ p["W3"] + p["b3"]
    scores = p["w"] * i["scores"] + torch.relu(above) @ p["w4"] + p["b4"]
    kinks = [t.abs().min().item() for t in (before, above) if t.numel()]
    return scores, torch.nn.functional.cross_entropy(scores[None], i["target"][None]), min(kinks)


def case(p, behaviours, candidates, target):
    while True:
        i = {
            "pairs": draw(candidates, behaviours, P), "blend": draw(candidates, B), "scores": draw(candidates, scale=2),
            "target": torch.tensor(target),
        }
        for t in p.values():
            t.grad = None
        scores, loss, kink = forward(p, i)
        if kink > KINK:
            break
    loss.backward()
    grads = {k: (torch.zeros_like(t) if t.grad is None else t.grad).tolist() for k, t in p.items()}
    inputs = {**{k: t.tolist() for k, t in i.items()}, "sizes": {"behaviours": behaviours, "candidates": candidates}}
    return {"inputs": inputs, "outputs": {"scores": scores.tolist(), "loss": loss.item()}, "grads": grads}


def made():
    shapes = {
        "W1": (P, N), "b1": (N,), "W2": (N, U), "b2": (U,), "alpha": (H, U),
        "W3": (B + 1 + U, M), "b3": (M,), "w4": (M,), "b4": (1,), "w": (1,),
    }
    p = {name: draw(*shape).requires_grad_() for name, shape in shapes.items()}
    cases = {"fewer": case(p, 2, 3, 0), "none": case(p, 0, 3, 2), "alone": case(p, 3, 1, 0)}
    return {"params": {k: t.tolist() for k, t in p.items()}, **case(p, H, 5, 1), "cases": cases}


def close(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return abs(a - b) <= 1e-12 * max(1, abs(a))


if "--check" in sys.argv:
    if not close(made(), json.loads(FILE.read_text())):
        sys.exit(f"{FILE.name} differs")
else:
    FILE.write_text(json.dumps(made()) + "\n")
