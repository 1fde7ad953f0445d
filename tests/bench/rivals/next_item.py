"""Neural rivals on the streams of tests/bench/streams: a recurrence, attention or a linear recurrence over a user's
newest behaviours predicts the next one, in one pass.

    python next_item.py gru|attention|lru [seed]

Reads JSON lines. {"learn": {"item", "isTarget", "before", ...}} is a behaviour that has happened, with the user's items
before it, newest first; it has no answer. {"recommend": {"before", "refused", "count", ...}} is answered by a line with
the numbers of at most `count` items, best first, out of all learnt so far but the refused. What comes later is not on
the input yet, so that it cannot be used. Targets are learnt once, in blocks, each from what preceded it.

Papers: GRU4Rec, https://arxiv.org/abs/1706.03847; SASRec, https://arxiv.org/abs/1808.09781; LRURec,
https://arxiv.org/abs/2310.02367. Left out of them: many epochs, dropout, a loss at each position of a history.
"""

import json
import sys

import torch
from torch import nn

WIDTH = 64
LAST = 50  # behaviours read
BLOCK = 32  # targets per step
NEGATIVES = 512  # per block, drawn by count^0.75, corrected by log Q
ROWS = 1 << 17  # items at most
ROW_RATE, RATE = 0.1, 0.003  # of Adagrad for vectors of items, of Adam for the rest


class Gru(nn.Module):
    """One layer."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(WIDTH, WIDTH, batch_first=True)

    def forward(self, x):
        return self.gru(x)[0]


class Attention(nn.Module):
    """Two causal blocks of two heads, with learned positions."""

    def __init__(self):
        super().__init__()
        self.places = nn.Parameter(0.02 * torch.randn(LAST + 1, WIDTH))
        block = nn.TransformerEncoderLayer(
            WIDTH, 2, 4 * WIDTH, dropout=0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, 2, nn.LayerNorm(WIDTH), enable_nested_tensor=False)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.blocks(x + self.places[: x.shape[1]], mask=mask, is_causal=True)


class LinearBlock(nn.Module):
    """h_t = a h_(t-1) + sqrt(1 - |a|^2) B x_t with complex diagonal a, y = Re(C h) + x; then a feed-forward layer."""

    def __init__(self):
        super().__init__()
        radius = torch.linspace(0.6, 0.98, WIDTH)
        self.decay = nn.Parameter(torch.log(-torch.log(radius)))
        self.angle = nn.Parameter(torch.log(0.1 + 0.5 * torch.rand(WIDTH)))
        self.into = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.out = nn.Linear(2 * WIDTH, WIDTH)
        self.norm, self.norm_wide = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.wide = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        size = torch.exp(-torch.exp(self.decay))
        a = torch.polar(size, torch.exp(self.angle))
        u = torch.complex(*self.into(self.norm(x)).chunk(2, -1)) * torch.sqrt(1 - size * size)
        h, states = torch.zeros_like(u[:, 0]), []
        for t in range(x.shape[1]):
            h = a * h + u[:, t]
            states.append(h)
        h = torch.stack(states, 1)
        x = x + self.out(torch.cat([h.real, h.imag], -1))
        return x + self.wide(self.norm_wide(x))


class Lru(nn.Sequential):
    """Two such blocks."""

    def __init__(self):
        super().__init__(LinearBlock(), LinearBlock(), nn.LayerNorm(WIDTH))


class Rival:
    """Vectors of items around an encoder. Row 0 of the input is the beginning of a history, row n + 1 item n."""

    def __init__(self, encoder):
        self.encoder = encoder
        self.read = nn.Embedding(ROWS + 1, WIDTH, sparse=True)
        self.write = nn.Embedding(ROWS, WIDTH, sparse=True)
        self.bias = nn.Embedding(ROWS, 1, sparse=True)
        for table, scale in ((self.read, 0.1), (self.write, 0.03), (self.bias, 0)):
            nn.init.normal_(table.weight, std=scale)
        tables = [table.weight for table in (self.read, self.write, self.bias)]
        self.optimisers = [
            torch.optim.Adagrad(tables, ROW_RATE, initial_accumulator_value=1e-4),
            torch.optim.Adam(encoder.parameters(), RATE),
        ]
        self.counts = torch.zeros(ROWS)
        self.known = 0
        self.block = []

    def learn(self, item, isTarget, before, **_):
        if item >= ROWS:
            raise ValueError(f"Cannot learn item {item}: there are rows for {ROWS}")
        self.known = max(self.known, item + 1)
        if not isTarget:
            return
        self.counts[item] += 1
        self.block.append((before, item))
        if len(self.block) == BLOCK:
            self.step()
            self.block = []

    def step(self):
        histories, items = zip(*self.block)
        target = torch.tensor(items)
        weights = (self.counts[: self.known] + 1) ** 0.75
        drawn = torch.multinomial(weights, NEGATIVES, replacement=True)
        user = self.encode(histories)
        own = (user * self.write(target)).sum(1, keepdim=True) + self.bias(target)
        others = user @ self.write(drawn).T + self.bias(drawn).T
        others = others - torch.log(NEGATIVES * weights[drawn] / weights.sum())
        # Neither the target nor what the user just had is a negative.
        for n, before in enumerate(histories):
            others[n, torch.isin(drawn, torch.tensor([items[n], *before]))] = -torch.inf
        loss = (torch.logsumexp(torch.cat([own, others], 1), 1, keepdim=True) - own).mean()
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()

    def encode(self, histories):
        """The states [B, WIDTH] at the ends of the histories."""
        ends = torch.tensor([min(len(before), LAST) for before in histories])
        rows = torch.zeros(len(histories), int(ends.max()) + 1, dtype=torch.long)
        for n, before in enumerate(histories):
            oldest_first = before[:LAST][::-1]
            rows[n, 1 : 1 + len(oldest_first)] = torch.tensor(oldest_first, dtype=torch.long) + 1
        return self.encoder(self.read(rows))[torch.arange(len(ends)), ends]

    @torch.no_grad()
    def recommend(self, before, refused, count, **_):
        scores = self.write.weight[: self.known] @ self.encode([before])[0] + self.bias.weight[: self.known, 0]
        scores[refused] = -torch.inf
        best = torch.topk(scores, min(count, self.known - len(refused)))
        return best.indices.tolist()


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.sparse.check_sparse_tensor_invariants.disable()  # which it warns of otherwise
    torch.manual_seed(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    rival = Rival({"gru": Gru, "attention": Attention, "lru": Lru}[sys.argv[1]]())
    for line in sys.stdin:
        [(verb, facts)] = json.loads(line).items()
        if verb == "learn":
            rival.learn(**facts)
        else:
            print(json.dumps(rival.recommend(**facts)), flush=True)
