"""padcheck on models from public packages, with random weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from zoo import mask_of
from zoo.asking import cause_of

from course_utils.padcheck import Padded, padcheck

LENGTHS = torch.tensor([9, 4, 7, 2, 5])
TRANSFORMER = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
GPT2 = {"vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64}
T5 = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}


def package(name: str):
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install -e .[dev]")


@pytest.fixture
def transformers():
    found = package("transformers")
    found.logging.set_verbosity_error()
    return found


def ids() -> Tensor:
    return torch.randint(3, 50, (5, 9))


def masked(model: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    return model(input_ids=x, attention_mask=mask_of(x, lengths).long())[0]


def masked_left(model: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    return model(input_ids=x, attention_mask=mask_of(x, lengths).flip(1).long())[0]


def unmasked(model: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    return model(input_ids=x)[0]


def build(transformers, name: str) -> nn.Module:
    config = {
        "Bert": transformers.BertConfig(**TRANSFORMER),
        "Roberta": transformers.RobertaConfig(**TRANSFORMER),
        "Llama": transformers.LlamaConfig(**TRANSFORMER, num_key_value_heads=2),
        "GPT2": transformers.GPT2Config(**GPT2),
        "Mamba": transformers.MambaConfig(
            vocab_size=50, hidden_size=16, num_hidden_layers=2, state_size=4
        ),
        "T5Encoder": transformers.T5Config(**T5),
    }[name]
    return getattr(transformers, f"{name}Model")(config)


@pytest.mark.parametrize(
    ("name", "call", "side", "cause"),
    [
        ("Bert", masked, "right", None),
        ("Bert", unmasked, "right", "attention without mask"),
        ("Bert", masked_left, "left", "shifted positions"),
        ("Roberta", masked, "right", None),
        ("Roberta", unmasked, "right", "attention without mask"),
        ("Llama", masked, "right", None),
        ("Llama", unmasked, "right", None),  # attends to earlier steps only
        ("Llama", masked_left, "left", None),  # its positions are relative
        ("Llama", unmasked, "left", "attention without mask"),
        ("GPT2", masked, "right", None),
        ("GPT2", unmasked, "right", None),
        ("GPT2", masked_left, "left", "shifted positions"),
        ("Mamba", unmasked, "right", None),
        ("Mamba", masked_left, "left", None),
        ("Mamba", unmasked, "left", "convolution at the edge"),
        ("T5Encoder", masked, "right", None),
        ("T5Encoder", unmasked, "right", "attention without mask"),
    ],
)
def test_transformers(transformers, name, call, side, cause):
    report = padcheck(build(transformers, name), ids(), LENGTHS, call=call, padding_side=side)
    assert (report.ok, cause_of(report)) == (cause is None, cause), str(report)


def test_a_classifier_that_looks_for_the_pad_token(transformers):
    config = transformers.GPT2Config(**GPT2, pad_token_id=0)
    model = transformers.GPT2ForSequenceClassification(config)
    assert cause_of(padcheck(model, ids(), LENGTHS, call=masked)) == "lengths from values"
    assert padcheck(model, ids(), LENGTHS, call=masked, pad_marker=0).ok is True


def test_losses_of_language_models(transformers):
    x = ids()
    ignored = x.masked_fill(~mask_of(x, LENGTHS), -100)

    def loss(model: nn.Module, x: Tensor, lengths: Tensor, *labels: Tensor) -> Tensor:
        mask = mask_of(x, lengths).long()
        return model(input_ids=x, attention_mask=mask, labels=labels[0] if labels else x).loss

    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2))
    report = padcheck(model, x, LENGTHS, Padded(ignored, LENGTHS, pad=-100), call=loss)
    assert report.ok is True
    assert "one fewer a sequence" in report["alone"].meaning
    assert cause_of(padcheck(model, x, LENGTHS, call=loss)) == "loss over padding"
    config = transformers.T5Config(**T5, decoder_start_token_id=0, pad_token_id=0)
    model = transformers.T5ForConditionalGeneration(config)
    assert padcheck(model, x, LENGTHS, Padded(ignored, LENGTHS, pad=-100), call=loss).ok is True


class Labeller(nn.Module):
    """A recurrent layer under a conditional random field."""

    def __init__(self, reduction: str, *, use_mask: bool = True, bidirectional: bool = False):
        super().__init__()
        self.rnn = nn.LSTM(4, 6, batch_first=True, bidirectional=bidirectional)
        self.linear = nn.Linear(12 if bidirectional else 6, 5)
        self.crf = package("torchcrf").CRF(5, batch_first=True)
        self.reduction, self.use_mask = reduction, use_mask

    def forward(self, x: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        mask = mask_of(x, lengths) if self.use_mask else None
        return -self.crf(self.linear(self.rnn(x)[0]), labels, mask, self.reduction)


@pytest.mark.parametrize("reduction", ["sum", "mean", "token_mean", "none"])
def test_a_crf_with_its_mask(reduction):
    report = padcheck(
        Labeller(reduction),
        torch.randn(5, 9, 4),
        LENGTHS,
        Padded(torch.randint(5, (5, 9)), LENGTHS),
    )
    assert report.ok is True, str(report)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"use_mask": False}, "loop over padding"),
        ({"bidirectional": True}, "backward direction"),
    ],
)
def test_a_crf_that_reads_padding(options, cause):
    model = Labeller("sum", **options)
    report = padcheck(
        model, torch.randn(5, 9, 4), LENGTHS, Padded(torch.randint(5, (5, 9)), LENGTHS)
    )
    assert (report.ok, cause_of(report)) == (False, cause), str(report)


@pytest.mark.parametrize(("causal", "cause"), [(True, None), (False, "convolution at the edge")])
def test_a_temporal_convolutional_network(causal, cause):
    tcn = package("pytorch_tcn").TCN(4, [8, 8], kernel_size=3, causal=causal, input_shape="NLC")
    report = padcheck(tcn, torch.randn(5, 9, 4), LENGTHS, call=lambda m, x, n: m(x))
    assert (report.ok, cause_of(report)) == (cause is None, cause), str(report)


@pytest.mark.parametrize(
    ("use_mask", "cause"), [(True, "convolution at the edge"), (False, "attention without mask")]
)
def test_a_conformer_leaks_at_its_convolution_even_with_its_mask(use_mask, cause):
    block = package("conformer").ConformerBlock(dim=8, dim_head=4, heads=2, conv_kernel_size=3)

    def call(model: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
        return model(x, mask=mask_of(x, lengths) if use_mask else None)

    report = padcheck(block, torch.randn(5, 9, 8), LENGTHS, call=call)
    assert (report.ok, cause_of(report)) == (False, cause), str(report)
