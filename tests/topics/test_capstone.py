"""The capstone's pipeline: without bugs it is the reference, and each bug is a bug."""

from __future__ import annotations

import pytest
import torch

from course_utils import check_lengths, pad_batch, small_batch
from course_utils.lessons.checking import judge
from course_utils.lessons.topics import exercises
from course_utils.padcheck import Padded, padcheck
from course_utils.topics.capstone import BUGS, PipelineLoss, buggy_pipeline, pipeline


def batch(lengths: list[int], seed: int) -> tuple:
    torch.manual_seed(seed)
    rnn = torch.nn.GRU(3, 4, batch_first=True, bidirectional=True).double()
    linear = torch.nn.Linear(8, 3).double()
    inputs = pad_batch(small_batch(lengths, 3, seed=seed, dtype=torch.float64))
    inputs[0, lengths[0] - 1] = 0.0  # a real step of zeros
    labels = pad_batch([torch.randint(3, (n,)) for n in lengths])
    return inputs, check_lengths(lengths), labels, rnn, linear


@pytest.mark.parametrize("seed", range(3))
def test_without_bugs_it_is_the_reference(seed: int):
    arguments = batch([5, 3, 7, 2], seed)
    torch.testing.assert_close(buggy_pipeline(*arguments, bugs=()), pipeline(*arguments))


@pytest.mark.parametrize("bug", list(BUGS))
def test_every_bug_spoils_the_result_it_is_named_after(bug: str):
    arguments = batch([5, 3, 7, 2], 0)
    right, wrong = pipeline(*arguments), buggy_pipeline(*arguments, bugs=[bug])
    assert not torch.equal(wrong[bug], right[bug])


def test_reference_gives_each_sequence_what_it_gets_alone():
    inputs, lengths, labels, rnn, linear = batch([5, 3, 7, 2], 1)
    together = pipeline(inputs, lengths, labels, rnn, linear)
    total = 0.0
    for row, n in enumerate(lengths.tolist()):
        one = slice(row, row + 1)
        alone = pipeline(inputs[one, :n], lengths[one], labels[one, :n], rnn, linear)
        for name in ("last", "pooled"):
            torch.testing.assert_close(together[name][one], alone[name])
        torch.testing.assert_close(together["outputs"][one, :n], alone["outputs"])
        total += n * alone["loss"]
    torch.testing.assert_close(together["loss"], total / lengths.sum())


def test_there_is_a_wrong_version_for_every_bug():
    assert [wrong.name for wrong in pipeline.wrong_versions] == [f"pipeline_with_{b}" for b in BUGS]


def test_each_part_is_told_by_itself_whatever_became_of_the_others():
    def mended_in_part(inputs, lengths, labels, rnn, linear):
        found = buggy_pipeline(inputs, lengths, labels, rnn, linear, ["mask", "last", "accuracy"])
        real = torch.arange(inputs.shape[1]) < lengths[:, None]
        logits = linear(found["outputs"])[real]
        total = torch.nn.functional.cross_entropy(logits, labels[real], reduction="sum")
        return {**found, "loss": total / len(lengths), "pooled": found["outputs"].amax(1)}

    verdict = judge(exercises()["capstone.pipeline"], mended_in_part)
    sentences = verdict.remark.split(". ")
    assert [sentence.split("`")[1] for sentence in sentences] == [
        "mask", "outputs", "last", "pooled", "loss", "accuracy"
    ]  # fmt: skip
    assert "`last` is the last column" in verdict.remark
    assert "`outputs` is zero where your `mask` is False" in verdict.remark
    assert "`accuracy` counts pads" in verdict.remark


def test_a_part_made_of_wrong_ones_is_said_to_follow():
    def biased(inputs, lengths, labels, rnn, linear):
        return buggy_pipeline(inputs, lengths, labels, rnn, linear, ["outputs", "last"])

    verdict = judge(exercises()["capstone.pipeline"], biased)
    assert "`last` is the last column" in verdict.remark
    for name in ("pooled", "loss", "accuracy"):
        assert f"`{name}` is right once your `outputs` and `mask` are" in verdict.remark


@pytest.mark.parametrize("seed", range(3))
def test_padcheck_is_red_with_all_bugs_and_green_without(seed: int):
    inputs, lengths, labels, _, _ = batch([5, 3, 7, 2], seed)
    for bugs, verdict in ((tuple(BUGS), False), ((), True)):
        torch.manual_seed(seed)
        model = PipelineLoss(3, 4, 3, bugs).double()
        assert (
            padcheck(model, inputs, lengths, Padded(labels, lengths), output="loss").ok is verdict
        )
