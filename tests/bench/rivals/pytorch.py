"""The work of tests/bench/speed.ts in PyTorch: one JSON line a measurement, {"name", "micros"}.

    python pytorch.py [threads]

Same mathematics and widths as ours: GRU extractor, auxiliary MLP, bilinear attention with sigmoid weights, AUGRU in
the paper's form, output MLP with PReLU. Time is CPU time of the process with one thread, wall clock with more; the
least of several rounds.
"""

import json
import sys
import time

import torch
from torch import nn

THREADS = int(sys.argv[1]) if __name__ == "__main__" and len(sys.argv) > 1 else 1
torch.set_num_threads(THREADS)
torch.manual_seed(0)
clock = time.process_time if THREADS == 1 else time.perf_counter
T, USER, CONTEXT = 50, 18, 0


class Dien(nn.Module):
    def __init__(self, d, hidden, widths, auxiliary):
        super().__init__()
        self.hidden = hidden
        self.gru = nn.GRU(d, hidden, batch_first=True)
        self.attention = nn.Parameter(torch.randn(hidden, d) * 0.1)
        self.wx = nn.Linear(hidden, 3 * hidden)
        self.wh = nn.Linear(hidden, 3 * hidden, bias=False)
        layers, n = [], USER + 3 * d + hidden + CONTEXT
        for width in widths:
            layers += [nn.Linear(n, width), nn.PReLU(width)]
            n = width
        self.mlp = nn.Sequential(*layers, nn.Linear(n, 1))
        layers, n = [], hidden + d
        for width in auxiliary:
            layers += [nn.Linear(n, width), nn.Sigmoid()]
            n = width
        self.aux = nn.Sequential(*layers, nn.Linear(n, 1))

    def evolve(self, h, a):
        """h [B,T,H], or [1,T,H] shared; a [K,T]: the final states [K,H]."""
        x = self.wx(h)
        state = torch.zeros(a.shape[0], self.hidden)
        for t in range(T):
            xu, xr, xc = x[:, t].chunk(3, -1)
            hu, hr, hc = self.wh(state).chunk(3, -1)
            u = a[:, t : t + 1] * torch.sigmoid(xu + hu)
            c = torch.tanh(xc + torch.sigmoid(xr + hr) * hc)
            state = (1 - u) * state + u * c
        return state

    def logits(self, e, q, user, h):
        a = torch.sigmoid(((q @ self.attention.T).unsqueeze(1) * h).sum(-1))
        mean = e.mean(1).expand(q.shape[0], -1)
        x = torch.cat([user.expand(q.shape[0], -1), q, mean, q * mean, self.evolve(h, a)], -1)
        return self.mlp(x).squeeze(-1)

    def loss(self, e, q, user, negatives, labels):
        h, _ = self.gru(e)
        z = self.logits(e, q, user, h)
        states = h[:, :-1]
        positive = self.aux(torch.cat([states, e[:, 1:]], -1))
        negative = self.aux(torch.cat([states, negatives[:, 1:]], -1))
        aux = nn.functional.softplus(-positive).mean() + nn.functional.softplus(negative).mean()
        return nn.functional.binary_cross_entropy_with_logits(z, labels) + aux


def least(run, seconds=6.0):
    for _ in range(3):
        run()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = clock()
        run()
        best = min(best, clock() - start)
    return best


def tell(name, run, repeat=1):
    def many():
        for _ in range(repeat):
            run()

    print(json.dumps({"name": name, "micros": least(many) / repeat * 1e6}), flush=True)


def training():
    d, B = 36, 128
    model = Dien(d, 36, [200, 80], [100, 50])
    adam = torch.optim.Adam(model.parameters())
    e, negatives, q = torch.randn(B, T, d), torch.randn(B, T, d), torch.randn(B, d)
    user, labels = torch.randn(B, USER), (torch.rand(B) > 0.5).float()

    def step():
        adam.zero_grad()
        model.loss(e, q, user, negatives, labels).backward()
        adam.step()

    tell("train dien, 128 rows", step)


def scoring():
    d = 32
    model = Dien(d, 32, [64, 32], [50])
    e, q, user = torch.randn(1, T, d), torch.randn(100, d), torch.randn(1, USER)
    with torch.no_grad():
        tell("score dien, 100 candidates", lambda: model.logits(e, q, user, model.gru(e)[0]), 5)
        h, _ = model.gru(e)
        tell("score dien, 100 candidates, states ready", lambda: model.logits(e, q, user, h), 5)
        cell = nn.GRUCell(d, 32)
        x, state = torch.randn(1, d), torch.zeros(1, 32)
        tell("step dien, one user", lambda: cell(x, state), 100)
        x, state = torch.randn(500, d), torch.zeros(500, 32)
        tell("step dien, 500 users at once", lambda: cell(x, state), 10)


if __name__ == "__main__":
    training()
    scoring()
