"""Experiments that several processes do together, each with its share of a batch.

Run by ``torchrun``, or by plain Python as a single process::

    torchrun --standalone --nproc-per-node 2 -m course_utils.parallel.experiments

``course_utils.parallel.workers`` starts it from a notebook. The processes talk through gloo on
CPUs, and through NCCL where each of them has a GPU of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.join import Join
from torch.nn.parallel import DistributedDataParallel

from course_utils.checks import check_count, check_some_lengths
from course_utils.data import small_batch
from course_utils.devices import get_device
from course_utils.models import MaskedRNN
from course_utils.parallel.shares import (
    average_gradients,
    gather_counts,
    gather_padded,
    global_moments,
    scaled_loss,
    share_by_tokens,
    share_sum,
)
from course_utils.sequences import last_steps, lengths_of, pad_batch

# Sequences, targets, a model's weights and sizes, and sometimes how to deal the sequences out:
# plain containers and tensors, so that a file of them can be read with ``weights_only=True``.
Problem = dict[str, Any]
Gradients = dict[str, Tensor]


def example_problem(lengths: Sequence[int] = (5, 3, 7, 2), seed: int = 0) -> Problem:
    """Sequences of ten features, a target for every step, and a small model, in double precision.

    Every process can make the same one.

    Raises:
        TypeError, ValueError: no lengths, one below 1, or a seed that is no whole number.
    """
    check_some_lengths(lengths, min_length=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(check_count(seed, "seed"))
        sizes = [10, 16, 1]
        weights = MaskedRNN(*sizes, cell="gru").double().state_dict()
    return {
        "sequences": small_batch(lengths, seed=seed, dtype=torch.float64),
        "targets": small_batch(lengths, 1, seed=seed + 1, dtype=torch.float64),
        "sizes": sizes,
        "weights": dict(weights),
    }


def build_model(problem: Problem, device: torch.device | str = "cpu") -> MaskedRNN:
    """The problem's model with its weights, on a device."""
    with torch.random.fork_rng(devices=[]):  # its first weights do not count
        model = MaskedRNN(*problem["sizes"], cell="gru").double()
    model.load_state_dict(problem["weights"])
    return model.to(device)


def _rows(problem: Problem, positions: Sequence[int], device: torch.device) -> tuple:
    """The sequences and the targets at some positions, and the number of features."""
    chosen = [[problem[name][i].to(device) for i in positions] for name in ("sequences", "targets")]
    return *chosen, problem["sizes"][0]


def _my_share(problem: Problem) -> list[int]:
    shares = problem.get("shares")
    if shares is None:
        shares = share_by_tokens(lengths_of(problem["sequences"]), dist.get_world_size())
    return shares[dist.get_rank()]


def _parallel(model: nn.Module, device: torch.device) -> DistributedDataParallel:
    return DistributedDataParallel(model, [device.index] if device.type == "cuda" else None)


def _grads(model: nn.Module) -> Gradients:
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def averages(problem: Problem, device: torch.device) -> dict[str, Any]:
    """Gradients averaged by hand: of the devices' means (wrong), and of the scaled sums."""
    rows = _rows(problem, _my_share(problem), device)
    found: dict[str, Any] = {"padded length": max(map(len, rows[0]), default=0)}
    for name in ("mean of means", "scaled sums"):
        model = build_model(problem, device)
        error_sum, count = share_sum(model, *rows)
        counts = gather_counts(count, device)
        loss = scaled_loss(error_sum, counts) if name == "scaled sums" else error_sum / count
        loss.backward()
        average_gradients(model)
        found[name], found["counts"] = _grads(model), counts
    return found


def with_ddp(problem: Problem, device: torch.device) -> Gradients:
    """Gradients of the scaled sums, averaged by PyTorch's DistributedDataParallel."""
    parallel = _parallel(build_model(problem, device), device)
    error_sum, count = share_sum(parallel, *_rows(problem, _my_share(problem), device))
    scaled_loss(error_sum, gather_counts(count, device)).backward()  # averages, too
    return _grads(parallel.module)


@torch.no_grad()
def one_example(problem: Problem, device: torch.device) -> dict[str, Any]:
    """What every process says about the first sequence of its share, read in four ways."""
    sequences, _, _ = _rows(problem, _my_share(problem), device)
    model, inputs, lengths = (
        build_model(problem, device),
        pad_batch(sequences),
        lengths_of(sequences),
    )
    output, _ = model.rnn(inputs)
    frames = torch.cat(sequences)
    mean, std = global_moments(frames)
    return {
        "padded length": inputs.shape[1],
        "last column": model.linear(output[0, -1]),  # wrong: depends on the company
        "last real step": model.linear(last_steps(output, lengths)[0]),
        "own moments": (inputs[0, 0] - frames.mean(0)) / frames.std(0, correction=0),  # wrong
        "global moments": (inputs[0, 0] - mean) / std,
    }


@torch.no_grad()
def gathered(problem: Problem, device: torch.device) -> list[Tensor]:
    """The model's outputs for the shares of all processes, on every process."""
    sequences, _, _ = _rows(problem, _my_share(problem), device)
    lengths = lengths_of(sequences)
    return gather_padded(build_model(problem, device)(pad_batch(sequences), lengths), lengths)


def _all_rounds(problem: Problem, device: torch.device) -> Tensor:
    """Real steps of every batch of every process, ``(rounds, processes)``: 0 is no batch."""
    lengths, batches = lengths_of(problem["sequences"]), problem["batches"][dist.get_rank()]
    rounds = int(gather_counts(len(batches), device).max())
    mine = [int(lengths[batch].sum()) for batch in batches] + [0] * (rounds - len(batches))
    return torch.stack([gather_counts(count, device) for count in mine])


def rounds_alone(problem: Problem, device: torch.device) -> str:
    """Every process loops over its own batches (wrong): what the one with most of them meets."""
    patience = timedelta(seconds=problem["patience"])
    group = dist.new_group(backend="gloo", timeout=patience)
    number, said = 0, "done"
    try:
        for number, _ in enumerate(problem["batches"][dist.get_rank()], start=1):  # noqa: B007
            dist.all_reduce(torch.zeros(1), group=group)
    except RuntimeError as error:
        said = f"stuck in round {number}: {str(error).split('] ')[-1].splitlines()[0]}"
    dist.barrier()
    return said


def mixed_calls(problem: Problem, device: torch.device) -> Tensor:
    """What comes out if one process averages a gradient and another adds up a count (wrong)."""
    mine = torch.tensor(100.0 if dist.get_rank() else 0.5, device=device)
    dist.all_reduce(mine)  # nothing says what the numbers mean
    return mine


def rounds_together(problem: Problem, device: torch.device) -> list[Gradients]:
    """Averaged gradients of every round; a process without a batch has an empty share."""
    found, batches = [], problem["batches"][dist.get_rank()]
    for number, counts in enumerate(_all_rounds(problem, device)):
        model = build_model(problem, device)
        batch = batches[number] if number < len(batches) else []
        scaled_loss(share_sum(model, *_rows(problem, batch, device))[0], counts).backward()
        average_gradients(model)
        found.append(_grads(model))
    return found


def rounds_joined(problem: Problem, device: torch.device) -> list[Gradients]:
    """Averaged gradients of this process' rounds; ``Join`` answers for those who are done."""
    every_count = _all_rounds(problem, device)  # before Join, which answers for DDP alone
    model, found = build_model(problem, device), []
    parallel = _parallel(model, device)
    with Join([parallel]):
        for number, batch in enumerate(problem["batches"][dist.get_rank()]):
            model.zero_grad()
            error_sum, _ = share_sum(parallel, *_rows(problem, batch, device))
            scaled_loss(error_sum, every_count[number]).backward()
            found.append(_grads(model))
    return found


def die(problem: Problem, device: torch.device) -> None:
    """The last process raises an error, and the others wait for it."""
    if dist.get_rank() == dist.get_world_size() - 1:
        raise ValueError("this share cannot be read")
    dist.barrier()


def hang(problem: Problem, device: torch.device) -> None:
    """The last process never arrives, and the others wait for it."""
    while dist.get_rank() == dist.get_world_size() - 1:
        time.sleep(0.1)
    dist.barrier()


EXPERIMENTS: dict[str, Callable[[Problem, torch.device], Any]] = {
    function.__name__: function
    for function in (
        averages, with_ddp, one_example, gathered, rounds_alone, rounds_together, rounds_joined,
        mixed_calls, die, hang,
    )
}  # fmt: skip


@contextlib.contextmanager
def joined(store: str | None = None) -> Iterator[torch.device]:
    """Join the group of processes; inside, the device of this one.

    Args:
        store: a file through which the processes of one machine meet; torchrun's own meeting
            point if not given.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    local_size = int(os.environ.get("LOCAL_WORLD_SIZE", size))
    enough = get_device().type == "cuda" and torch.cuda.device_count() >= local_size
    device = torch.device("cpu")
    if enough:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", rank)))
        torch.cuda.set_device(device)
    meeting = {"store": dist.FileStore(store, size)} if store else {}
    if not store and size == 1:
        meeting = {"store": dist.HashStore()}
    backend = "nccl" if enough else "gloo"
    dist.init_process_group(backend, rank=rank, world_size=size, **meeting)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def main() -> None:
    """Run the experiments of a job, and write what this process found to ``RANK.pt``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--job", help="file with a list of (experiment, problem)")
    parser.add_argument("--results", help="folder for the results")
    parser.add_argument("--store", help="file through which the processes meet")
    parser.add_argument("--deadline", type=float, help="when to give up, in seconds since 1970")
    options = parser.parse_args()
    if options.deadline:
        # A watchdog that works whatever hangs: it prints where, and ends the process.
        faulthandler.dump_traceback_later(max(options.deadline - time.time(), 0.1), exit=True)
    torch.set_num_threads(1)
    job = [("averages", example_problem())]
    if options.job:
        job = torch.load(options.job, weights_only=True, map_location="cpu")
    found = []
    with joined(options.store) as device:
        for name, problem in job:
            print(f"experiment: {name}", flush=True)
            found.append(EXPERIMENTS[name](problem, device))
        rank, size = dist.get_rank(), dist.get_world_size()
    if options.results:
        torch.save(found, Path(options.results) / f"{rank}.pt")
    if not options.job:
        norm = torch.cat([g.flatten() for g in found[0]["scaled sums"].values()]).norm()
        steps = int(found[0]["counts"][rank])
        print(f"rank {rank} of {size} on {device}: {steps} real steps, |gradient| = {norm:.6f}")


if __name__ == "__main__":
    main()
