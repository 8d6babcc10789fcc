"""Shares of a batch, and real processes: the same gradients, and messages instead of hanging."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from course_utils.explorers.dealing import DEALINGS, bias_of_average, mean_errors
from course_utils.models import MaskedRNN, oracle
from course_utils.parallel.experiments import EXPERIMENTS, build_model, example_problem
from course_utils.parallel.shares import scaled_loss, share_by_tokens, share_sum
from course_utils.parallel.workers import WorkerError, run_workers
from course_utils.pictures import draw_shares

TWO = [[0, 3], [1, 2]]
BATCHES = [[[0], [1, 3], [2]], [[3]]]
SLOW = 600  # seconds: what hangs must end, and no machine is that slow


def truth(problem: dict, positions: list[int]) -> dict[str, torch.Tensor]:
    """Gradients of the mean over all real steps, one sequence at a time."""
    sequences = [problem["sequences"][i] for i in positions]
    targets = [problem["targets"][i] for i in positions]
    count = sum(len(sequence) for sequence in sequences)
    model = build_model(problem)
    return oracle(
        model, sequences, lambda output, i: (output - targets[i]).square().sum() / count
    ).gradients


@pytest.fixture(scope="module")
def problem() -> dict:
    return example_problem()


@pytest.fixture(scope="module")
def found(problem: dict) -> dict[str, list]:
    """One start of two processes; each experiment's results, one a rank."""
    experiments = {
        "averages": ("averages", {**problem, "shares": TWO}),
        "empty": ("averages", {**problem, "shares": [[0, 1, 2, 3], []]}),
        "ddp": ("with_ddp", {**problem, "shares": [[0, 1, 2, 3], []]}),
        "one_example": ("one_example", {**problem, "shares": [[1, 0], [1, 2]]}),
        "gathered": ("gathered", {**problem, "shares": [[1], [0, 2, 3]]}),
        "alone": ("rounds_alone", {**problem, "batches": BATCHES, "patience": 3.0}),
        "together": ("rounds_together", {**problem, "batches": BATCHES}),
        "joined": ("rounds_joined", {**problem, "batches": BATCHES}),
        "mixed": ("mixed_calls", problem),
    }
    jobs = list(experiments.values())
    return dict(zip(experiments, run_workers(jobs, time_limit=SLOW), strict=True))


def test_two_processes_have_the_gradients_of_one(found: dict, problem: dict):
    ranks = found["averages"]
    assert [rank["padded length"] for rank in ranks] == [5, 7]
    expected = truth(problem, [0, 1, 2, 3])
    for rank in ranks:
        assert rank["counts"].tolist() == [7, 10]
        assert_close(rank["scaled sums"], expected, rtol=1e-9, atol=1e-12)
        biased = [rank["mean of means"][name] - expected[name] for name in expected]
        assert max(b.abs().max() for b in biased) > 1e-3


def test_mean_of_means_is_what_it_says(found: dict, problem: dict):
    parts = [truth(problem, share) for share in TWO]
    expected = {name: (parts[0][name] + parts[1][name]) / 2 for name in parts[0]}
    for rank in found["averages"]:
        assert_close(rank["mean of means"], expected, rtol=1e-9, atol=1e-12)


def test_an_empty_share_takes_part(found: dict, problem: dict):
    expected = truth(problem, [0, 1, 2, 3])
    for rank, ddp in zip(found["empty"], found["ddp"], strict=True):
        assert_close(rank["scaled sums"], expected, rtol=1e-9, atol=1e-12)
        assert_close(ddp, expected, rtol=1e-9, atol=1e-12)
        assert all(gradient.isnan().all() for gradient in rank["mean of means"].values())


def test_one_example_has_one_answer_where_padding_is_not_read(found: dict, problem: dict):
    one, other = found["one_example"]
    assert (one["padded length"], other["padded length"]) == (5, 7)
    for name in ("last real step", "global moments"):
        assert_close(one[name], other[name])
    for name in ("last column", "own moments"):
        assert (one[name] - other[name]).abs().max() > 1e-3
    frames = torch.cat([problem["sequences"][i] for i in (1, 0, 1, 2)])
    expected = (problem["sequences"][1][0] - frames.mean(0)) / frames.std(0, correction=0)
    assert_close(one["global moments"], expected)


def test_gathered_outputs_are_those_of_one_process(found: dict, problem: dict):
    model = build_model(problem)
    for rank in found["gathered"]:
        for got, position in zip(rank, (1, 0, 2, 3), strict=True):
            sequence = problem["sequences"][position]
            assert_close(got, model(sequence[None], [len(sequence)])[0].detach())


def test_different_numbers_of_batches(found: dict, problem: dict):
    stuck, done = found["alone"]
    assert "stuck in round 2" in stuck
    assert done == "done"
    expected = [truth(problem, positions) for positions in ([0, 3], [1, 3], [2])]
    for rank, own_rounds in zip((0, 1), (3, 1), strict=True):
        assert len(found["together"][rank]) == 3
        assert len(found["joined"][rank]) == own_rounds
        for name in ("together", "joined"):
            for got, wanted in zip(found[name][rank], expected, strict=False):
                assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def test_calls_of_different_meaning_are_mixed(found: dict):
    assert [value.item() for value in found["mixed"]] == [100.5, 100.5]


def test_torchrun_finds_the_same(problem: dict):
    (ranks,) = run_workers([("averages", problem)], torchrun=True, time_limit=SLOW)
    assert len(ranks) == 2
    for rank in ranks:
        assert_close(rank["scaled sums"], truth(problem, [0, 1, 2, 3]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("torchrun", [False, True])
def test_a_worker_that_dies_is_named(problem: dict, torchrun: bool):
    with pytest.raises(WorkerError, match="in 'die': ValueError: this share cannot be read"):
        run_workers([("die", problem)], torchrun=torchrun, time_limit=SLOW)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen]:
    """All processes that a test starts."""
    found = []
    popen = subprocess.Popen

    def remember(*args, **kwargs) -> subprocess.Popen:
        found.append(popen(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr("course_utils.parallel.workers.subprocess.Popen", remember)
    return found


def test_a_worker_that_hangs_is_ended_and_says_where(problem: dict, started: list):
    for limit in (10, 60, SLOW):  # a busy machine needs more than a few seconds to begin
        with pytest.raises(WorkerError) as caught:
            run_workers([("hang", problem)], time_limit=limit)
        assert all(process.poll() is not None for process in started)
        if "before its first experiment" not in str(caught.value):
            break
    assert "in 'hang': not done when the time was up at experiments.py" in str(caught.value)
    assert "in hang" in str(caught.value)


def test_none_is_left_running_where_there_was_no_time_to_begin(problem: dict, started: list):
    with pytest.raises(WorkerError, match="before its first experiment: stopped, still running"):
        run_workers([("hang", problem)], time_limit=0)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_as_a_program_of_its_own():
    environment = {**os.environ, "COURSE_DEVICE": "cpu"}
    command = [sys.executable, "-m", "course_utils.parallel.experiments"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=SLOW)
    assert run.returncode == 0, run.stderr
    assert "rank 0 of 1 on cpu: 17 real steps" in run.stdout


def test_workers_import_torch_alone():
    program = (
        "import sys, course_utils.parallel.experiments\n"
        "print([m for m in ('sktime', 'pandas', 'matplotlib', 'IPython', 'ipywidgets', "
        "'torch._dynamo') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_no_processes_are_refused(problem: dict):
    with pytest.raises(ValueError, match="at least 1"):
        run_workers([("averages", problem)], processes=0)
    assert {"die", "hang"} <= set(EXPERIMENTS)


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(1, 5))
def test_shares_hold_everything_once_and_are_balanced(lengths: list[int], devices: int):
    shares = share_by_tokens(lengths, devices)
    assert len(shares) == devices
    assert sorted(i for share in shares for i in share) == list(range(len(lengths)))
    steps = [sum(lengths[i] for i in share) for share in shares]
    assert max(steps) - min(steps) <= max(lengths, default=0)


def test_longest_go_first():
    assert share_by_tokens([5, 3, 7, 2], 2) == [[2, 3], [0, 1]]
    assert share_by_tokens([4, 4, 4], 4) == [[0], [1], [2], []]
    with pytest.raises(ValueError, match="at least 1"):
        share_by_tokens([3], 0)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_average_of_scaled_losses_is_the_mean(counts: list[int]):
    sums = torch.rand(len(counts), dtype=torch.float64) * (torch.tensor(counts) > 0)
    losses = torch.stack([scaled_loss(total, torch.tensor(counts)) for total in sums])
    assert_close(losses.mean(), sums.sum() / max(sum(counts), 1))


def test_share_sum_reaches_every_parameter(problem: dict):
    model = build_model(problem)
    total, count = share_sum(model, [], [], 10)
    total.backward()
    assert (total.item(), count) == (0, 0)
    assert all((parameter.grad == 0).all() for parameter in model.parameters())


def test_bias_of_averaged_means():
    lengths = [6, 2, 4, 4]
    gradients = mean_errors(lengths)[1].double()
    counts = torch.tensor(lengths)
    assert bias_of_average(gradients, counts, [[0, 1], [2, 3]]) < 1e-6
    assert bias_of_average(gradients, counts, [[0], [1, 2, 3]]) > 1e-3
    assert math.isnan(bias_of_average(gradients, counts, [[0, 1, 2, 3], []]))


@pytest.mark.parametrize("name", list(DEALINGS))
def test_every_way_of_dealing_deals_all_out_once(name: str):
    for devices in (1, 2, 5):
        shares = DEALINGS[name]([5, 3, 7, 2], devices)
        assert len(shares) == devices
        assert sorted(i for share in shares for i in share) == [0, 1, 2, 3]


def test_picture_of_shares_tells_its_numbers():
    alt = draw_shares([[5, 3], []], ["first", "second"], title="Two").alt
    assert "device 0: 8 real steps, T = 5; first" in alt
    assert "device 1: no real step; second" in alt
    with pytest.raises(ValueError, match="1 notes for 2 devices"):
        draw_shares([[5], [3]], ["one"], title="Two")


def test_targets_do_not_broadcast_against_outputs():
    model, sequences = MaskedRNN(2, 3).double(), [torch.ones(n, 2).double() for n in (3, 1)]
    with pytest.raises(ValueError, match="differ in shape"):
        share_sum(model, sequences, [torch.ones(3).double(), torch.ones(1).double()], 2)
