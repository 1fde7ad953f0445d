"""Writes the models of pytorch.py that are served as ONNX files, for onnx.mjs.

python export_onnx.py <folder>
"""

import sys
from pathlib import Path

import torch
from pytorch import T, USER, Dien
from torch import nn

folder = Path(sys.argv[1])
torch.manual_seed(0)


class Product(nn.Module):
    def forward(self, x, w):
        return x @ w


class Score(nn.Module):
    """100 candidates of one history, extractor included."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, e, q, user):
        return self.model.logits(e, q, user, self.model.gru(e)[0])


class Cell(nn.Module):
    def __init__(self, d, hidden):
        super().__init__()
        self.cell = nn.GRUCell(d, hidden)

    def forward(self, x, h):
        return self.cell(x, h)


def write(name, model, inputs):
    names = list(inputs)
    torch.onnx.export(
        model.eval(),
        tuple(inputs.values()),
        folder / f"{name}.onnx",
        input_names=names,
        output_names=["y"],
        dynamo=True,
        external_data=False,
        verbose=False,
    )


d = 32
write("product", Product(), {"x": torch.randn(128, 36), "w": torch.randn(36, 108)})
write("score", Score(Dien(d, 32, [64, 32], [50])), {"e": torch.randn(1, T, d), "q": torch.randn(100, d), "user": torch.randn(1, USER)})
write("step", Cell(d, 32), {"x": torch.randn(1, d), "h": torch.zeros(1, 32)})
write("steps", Cell(d, 32), {"x": torch.randn(500, d), "h": torch.zeros(500, 32)})
