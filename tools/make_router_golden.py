#!/usr/bin/env python3
"""Writes tests/golden/routers.safetensors: what PyTorch's own modules compute as routers.

For each of the ten kinds KIND: float32 KIND.vectors [batch, task_vector_dim], KIND.logits [layers, batch,
num_experts], and every parameter as KIND.weights.NAME, under trivium's name. The metadata has the sizes.
Needs torch and safetensors. Single-threaded, so that a second run writes the same bytes.
"""
import json
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS, BATCH, EXPERTS, DIM, HIDDEN = 5, 4, 3, 8, 12
BODIES = ("rnn", "gru", "lstm", "transformer")


def mlp(outputs):
    module = nn.Module()
    module.hidden = nn.Linear(DIM, HIDDEN)
    module.out = nn.Linear(HIDDEN, outputs)
    module.forward = lambda x: module.out(nn.functional.gelu(module.hidden(x)))
    return module


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = mlp(LAYERS * EXPERTS)

    def forward(self, vectors):
        return self.mlp.forward(vectors).view(-1, LAYERS, EXPERTS).transpose(0, 1)


class LinearLayerSpecific(nn.Module):
    def __init__(self):
        super().__init__()
        for layer in range(LAYERS):
            self.add_module(f"layer_{layer}", mlp(EXPERTS))

    def forward(self, vectors):
        return torch.stack([layer.forward(vectors) for layer in self.children()])


class Sequence(nn.Module):
    def __init__(self, body, layer_specific):
        super().__init__()
        width = HIDDEN if layer_specific else DIM
        if layer_specific:
            self.expand = nn.Linear(DIM, HIDDEN * LAYERS)
        else:
            self.positions = nn.Parameter(torch.empty(LAYERS, DIM))
        if body == "transformer":
            self.body = nn.TransformerEncoderLayer(width, nhead=4, dim_feedforward=HIDDEN, batch_first=True)
            self.out = nn.Linear(width, EXPERTS)
        else:
            kind = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[body]
            self.body = kind(width, HIDDEN, batch_first=True, bidirectional=True)
            self.out = nn.Linear(2 * HIDDEN, EXPERTS)

    def forward(self, vectors):
        if hasattr(self, "expand"):
            states = self.body(self.expand(vectors).view(-1, LAYERS, HIDDEN))
        else:
            states = self.body(vectors[:, None, :].repeat(1, LAYERS, 1) + self.positions)
        return self.out(states[0] if isinstance(states, tuple) else states).transpose(0, 1)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(7)
    routers = {"linear": Linear(), "linear_layer_specific": LinearLayerSpecific()}
    for body in BODIES:
        routers[body] = Sequence(body, layer_specific=False)
        routers[body + "_layer_specific"] = Sequence(body, layer_specific=True)
    tensors = {}
    for kind, router in routers.items():
        router.eval()
        vectors = torch.randn(BATCH, DIM)
        with torch.no_grad():
            for parameter in router.parameters():
                parameter.normal_(0, 0.5)
        tensors[kind + ".vectors"] = vectors
        # With gradients, since PyTorch's fast path of inference is another implementation.
        tensors[kind + ".logits"] = router.forward(vectors).detach().contiguous()
        for name, parameter in router.named_parameters():
            tensors[f"{kind}.weights.{name}"] = parameter.detach().clone()
    sizes = {"layers": LAYERS, "num_experts": EXPERTS, "task_vector_dim": DIM, "router_hidden_dim": HIDDEN}
    save_file(tensors, ROOT / "tests/golden/routers.safetensors", {"sizes": json.dumps(sizes)})


if __name__ == "__main__":
    main()
