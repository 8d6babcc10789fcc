"""The bug clinic: every patient is ill, every cure cures, and the field guide has them all."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
import torch

from course_utils.course import NOTEBOOKS
from course_utils.data import Batch, SequenceDataset, small_batch
from course_utils.lessons.field_guide import field_guide_message, printable
from course_utils.lessons.patients import source_message
from course_utils.lessons.topics import patient_texts, sayings
from course_utils.models import MaskedRNN, gradients, oracle
from course_utils.padcheck import Padded, padcheck
from course_utils.sequences import lengths_of, lengths_to_mask, pad_batch
from course_utils.topics.clinic import PATIENTS, admit
from course_utils.training import step_mse_loss

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "11_bug_clinic.ipynb"
# Seed and lengths: as many rows as steps; two full rows; two rows alone.
BATCHES = [(1, (3, 1, 2)), (2, (4, 2, 4, 1)), (3, (2, 5))]
CAUSES = {
    "last column": "last step",
    "final state": "final state",
    "column of zeros": "last step",
    "mean over pads": "pooling over padding",
    "backward direction": "backward direction",
    "layout": "layout",
    "lost order": "lost order",
    "edge": "convolution at the edge",
    "batch statistics": "normalisation over padding",
    "inverted mask": "wrong attention mask",
    "wrong divisor": "loss over padding",
}
MODELS = [name for name, patient in PATIENTS.items() if patient.kind != "function"]
double = {"dtype": torch.float64}


def examine(name: str, model: torch.nn.Module, lengths: tuple[int, ...], seed: int):
    inputs = pad_batch(small_batch(lengths, seed=seed, **double))
    targets = (
        [Padded(pad_batch(small_batch(lengths, 2, seed=seed + 1, **double)), lengths)]
        if name == "wrong divisor"
        else []
    )
    return padcheck(model, inputs, lengths, *targets, mode=PATIENTS[name].mode)


def test_eighteen_patients_with_a_symptom_and_a_test_each():
    assert list(PATIENTS) == list(patient_texts())
    assert len(PATIENTS) == 18
    assert len({patient.symptom for patient in patient_texts().values()}) == 18
    assert set(CAUSES) == {name for name in MODELS if PATIENTS[name].kind == "red"}
    for patient in patient_texts().values():
        assert re.fullmatch(r"[A-Z].*[^.]", patient.symptom)
        assert re.fullmatch(r"[A-Zp].*[.?)]", patient.test)


@pytest.mark.parametrize(("seed", "lengths"), BATCHES)
@pytest.mark.parametrize("name", MODELS)
def test_models_are_red_and_cures_are_green(name: str, seed: int, lengths: tuple[int, ...]):
    sick, well = admit(name, seed=seed)
    report = examine(name, sick, lengths, seed)
    if PATIENTS[name].kind == "red":
        assert report.ok is False
        assert report.cause.name == CAUSES[name]
    else:
        assert report.ok is True  # wrong in a way that padding has no part in
    cured = examine(name, well, lengths, seed)
    assert cured.ok is True, str(cured)


def test_both_models_have_the_same_random_weights():
    for name in MODELS:
        sick, well = admit(name, seed=4)
        other, _ = admit(name, seed=5)
        for key, weight in well.state_dict().items():
            torch.testing.assert_close(weight, sick.state_dict()[key], rtol=0, atol=0)
        assert any(
            (a != b).any() for a, b in zip(sick.parameters(), other.parameters(), strict=True)
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_step_backward_is_seen_in_the_gradient_of_the_inputs(seed: int):
    read = {}
    for name, model in zip(("sick", "well"), admit("one step backward", seed=seed), strict=True):
        x = small_batch((5,), seed=seed, **double)[0][None].requires_grad_()
        seen = []
        model.linear.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0]))
        model(x, [5])
        (slope,) = torch.autograd.grad(seen[0][:, 8:].sum(), x)
        read[name] = int((slope != 0).any(2).sum())
    assert read == {"sick": 1, "well": 5}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_wrong_layer_is_seen_in_the_gradients_of_the_parameters(seed: int):
    inputs = pad_batch(small_batch((4, 2), seed=seed, **double))
    idle = []
    for model in admit("wrong layer", seed=seed):
        found = gradients(model(inputs, [4, 2]).square().sum(), model)
        idle.append([key for key, gradient in found.items() if not gradient.any()])
    assert len(idle[0]) == 8
    assert all("_l1" in key for key in idle[0])
    assert idle[1] == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_large_negative_scores_attend_to_pads_of_an_empty_row(seed: int):
    torch.manual_seed(seed)
    sick, well = admit("large negative score")
    scores = torch.randn(3, 3, dtype=torch.float64)
    mask = lengths_to_mask([2, 0, 3])
    torch.testing.assert_close(sick(scores, mask)[1].sum().item(), 1.0)
    expected = torch.zeros_like(scores)
    expected[0, :2], expected[2] = scores[0, :2].softmax(0), scores[2].softmax(0)
    torch.testing.assert_close(well(scores, mask), expected)
    with pytest.raises(RuntimeError, match="overflow"):
        sick(scores.half(), mask)
    assert well(scores.half(), mask).isfinite().all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_end_token_gets_no_pull_unless_lengths_make_the_mask(seed: int):
    torch.manual_seed(seed)
    tokens = torch.tensor([[2, 1, 0], [3, 0, 0], [0, 0, 0]])
    mask = lengths_to_mask([3, 2, 1])
    ends = torch.zeros(3, 3, dtype=torch.bool)
    ends[[0, 1, 2], [2, 1, 0]] = True
    logits = torch.randn(3, 3, 4, dtype=torch.float64, requires_grad=True)
    slopes = [
        torch.autograd.grad(loss(logits, tokens, mask), logits)[0][..., 0]
        for loss in admit("end token")
    ]
    assert (slopes[0] >= 0).all()
    assert torch.equal(slopes[1] < 0, ends)
    expected = torch.nn.functional.cross_entropy(logits[mask], tokens[mask])
    torch.testing.assert_close(admit("end token")[1](logits, tokens, mask), expected)


@pytest.mark.parametrize("features", [1, 2])
def test_nan_reaches_the_gradient_of_the_patient_alone(features: int):
    torch.manual_seed(0)
    mask = lengths_to_mask([3, 1, 2])
    prediction = torch.randn(3, 3, features, dtype=torch.float64, requires_grad=True)
    target = torch.randn_like(prediction).masked_fill(~mask[..., None], torch.nan)
    losses = [loss(prediction, target, mask) for loss in admit("NaN gradient")]
    torch.testing.assert_close(losses[0], losses[1])
    slopes = [torch.autograd.grad(loss, prediction)[0] for loss in losses]
    assert slopes[0].isnan().any()
    expected = torch.zeros_like(prediction)
    expected[mask] = 2 * (prediction - target)[mask] / (6 * features)
    torch.testing.assert_close(slopes[1], expected)


def trained_on(lengths: tuple[int, ...], seed: int):
    """A model, sequences and targets, all random."""
    torch.manual_seed(seed)
    model = MaskedRNN(3, 4, 1).double()
    return model, small_batch(lengths, 3, seed=seed, **double), small_batch(
        lengths, 1, seed=seed + 1, **double
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_accumulation_against_the_oracle(seed: int):
    lengths = (1, 2, 6, 3)
    model, sequences, targets = trained_on(lengths, seed)
    truth = oracle(
        model, sequences, lambda output, i: (output - targets[i]).square().sum() / sum(lengths)
    )
    expected = list(truth.gradients.values())
    micro_batches = [
        Batch(pad_batch(sequences[a:b]), lengths_of(sequences[a:b]), pad_batch(targets[a:b]))
        for a, b in ((0, 2), (2, 4))
    ]
    sick, well = admit("accumulation")
    torch.testing.assert_close(well(model, micro_batches), expected)
    model.zero_grad()
    found = sick(model, micro_batches)
    assert any(((f - e).norm() / e.norm()) > 0.05 for f, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mean_of_means_depends_on_the_batch_size(seed: int):
    model, sequences, targets = trained_on((1, 2, 6, 3), seed)
    data = SequenceDataset(sequences, targets)
    errors = [
        (model(s[None], lengths_of([s]))[0] - t).square()
        for s, t in zip(sequences, targets, strict=True)
    ]
    expected = torch.cat(errors).mean().item()
    sick, well = admit("mean of means")
    found = {size: sick(model, data, batch_size=size, loss=step_mse_loss) for size in (1, 3, 4)}
    assert found[4] == pytest.approx(expected)
    assert abs(found[1] - expected) > 1e-3
    assert abs(found[3] - expected) > 1e-3
    for size in (1, 3, 4):
        cured = well(model, data, batch_size=size, loss=step_mse_loss)
        assert cured == pytest.approx(expected)


def test_sources_are_marked_and_have_no_docstring():
    for name in PATIENTS:
        sick, well = (source_message(version).text for version in admit(name))
        assert sick.startswith("# wrong: ") or name in ("layout", "batch statistics")
        assert well.startswith("# right: ")
        for text in (sick, well):
            assert '"""' not in text
            assert text.splitlines()[1].startswith("def ")
    sick, well = admit("layout")
    assert "batch_first = False" in source_message(sick, "__init__").text
    assert source_message(admit("edge")[1]).text.startswith("# right: ZeroedConvolution.forward")


def packs(lengths: torch.Tensor) -> None:
    torch.nn.utils.rnn.pack_padded_sequence(torch.zeros(2, 3, 1), lengths, batch_first=True)


def goes_backward_twice() -> None:
    loss = torch.ones(2, requires_grad=True).exp().sum()
    loss.backward()
    loss.backward()


def test_pytorch_says_what_the_field_guide_says():
    said = [
        lambda: torch.stack([torch.zeros(1), torch.zeros(2)]),
        goes_backward_twice,
        lambda: packs(torch.tensor([[3], [2]])),
        lambda: packs(torch.tensor([2, 3])),
        lambda: packs(torch.tensor([3, 0])),
    ]
    messages = sayings("Message")
    assert len(said) == len(messages) - 1  # the last one needs a GPU
    for call, message in zip(said, messages, strict=False):
        with pytest.raises(RuntimeError, match=re.escape(message.said)):
            call()


def test_unknown_patient():
    with pytest.raises(KeyError, match="last column"):
        admit("nobody")


def test_notebook_admits_every_patient_in_order():
    cells = nbformat.read(NOTEBOOK, 4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    admitted = re.findall(r'sick, well = admit\("(.+?)"', code)
    assert list(dict.fromkeys(admitted)) == list(PATIENTS)
    headings = re.findall(
        r"^### \d+\. “(.+)”$", "\n".join(c.source for c in cells if c.cell_type == "markdown"), re.M
    )
    assert headings == [patient.symptom for patient in patient_texts().values()]


def test_field_guide_lists_every_patient_and_message_and_stands_alone():
    page, message = printable(), field_guide_message()
    files = {notebook.number: notebook.file for notebook in NOTEBOOKS}
    for patient in patient_texts().values():
        assert patient.symptom in page
        assert f"{patient.symptom}: {patient.test} See {files[patient.notebook]}." in message.text
    assert page.count("<tr>") == len(PATIENTS) + len(sayings("Message")) + 2
    assert page.count("<li><b>") == len(sayings("Test")) == 5
    assert page.startswith("<!DOCTYPE html>")
    assert not re.search(r"src=|href=|http|\*\*", page)
    assert 'download="field_guide.html"' in message.html
