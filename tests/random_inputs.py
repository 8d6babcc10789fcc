"""Random calls, sensible and nonsensical, and the judge of what comes out.

A case has a function, a way to draw sensible arguments for it, and an oracle: the same answer by
plain loops, which refuses whatever has no answer. Half of the calls are spoiled before they are
made. A call passes if it returns what the oracle says, or is refused with a ValueError or a
TypeError that names what was given; a sensible call may not be refused.
"""

from __future__ import annotations

import contextlib
import inspect
import random
import re
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
DTYPES = (*FLOATS, *INTEGERS, torch.bool, torch.complex64)
SECONDS = 20  # a call that takes longer hangs
# Of all draws: a few every time, and all once a week.
FEW_OR_ALL = pytest.mark.parametrize(
    "part",
    [
        pytest.param(0.1, id="few", marks=pytest.mark.slow),
        pytest.param(1, id="all", marks=pytest.mark.long),
    ],
)
# Relative to the largest number of the answer.
TOLERANCES = {
    torch.float16: 4e-3,
    torch.bfloat16: 4e-2,
    torch.float32: 2e-5,
    torch.complex64: 2e-5,
}


class NoAnswer(Exception):
    """The oracle's word for arguments to which nothing should be answered."""


def need(condition: object, why: str = "") -> None:
    """What an oracle takes for granted."""
    if not condition:
        raise NoAnswer(why)


@dataclass
class Case:
    """How to try one function; ``slopes`` also compares gradients with finite differences."""

    function: Callable[..., Any]
    draw: Callable[[random.Random], tuple[list[Any], dict[str, Any]]]
    oracle: Callable[..., Any]
    draws: int = 1000
    slopes: bool = False
    touch: tuple[str, ...] | None = None
    """Names of the arguments that may be spoiled; all if not given."""
    words: tuple[str, ...] = ()
    """What a message may speak of besides the arguments themselves."""


# --- sensible arguments ----------------------------------------------------------------------


def lengths_at_most(rng: random.Random, longest: int, count: int, least: int = 0) -> list[int]:
    """Lengths of a batch, often of an awkward kind: equal, full, one row, B = T."""
    kind = rng.randrange(5)
    if kind == 0:
        return [rng.randint(least, longest)] * count
    if kind == 1:
        return [longest] * count
    return [rng.randint(least, longest) for _ in range(count)]


def as_lengths(rng: random.Random, lengths: list[int]) -> Any:
    """The same lengths as some container that people pass."""
    kinds = [
        list, tuple, torch.tensor, np.array,
        lambda n: torch.tensor(n, dtype=torch.int32),
        lambda n: torch.tensor(n, dtype=torch.uint8),
        lambda n: np.array(n, dtype=np.int16),
        lambda n: [np.int64(i) for i in n],
        lambda n: torch.tensor([[i, -1] for i in n])[:, 0],
    ]  # fmt: skip
    return rng.choice(kinds)(lengths) if lengths else []


def numbers(rng: random.Random, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Random entries, sometimes in memory of another layout."""
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    if dtype.is_complex:
        values = torch.randn(shape, generator=generator, dtype=dtype)
    elif dtype.is_floating_point:
        values = (3 * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)
    else:
        values = torch.randint(0, 2 if dtype == torch.bool else 100, shape, generator=generator)
        values = values.to(dtype)
    kind = rng.randrange(6)
    if kind == 0 and len(shape) >= 2:
        return values.transpose(0, 1).contiguous().transpose(0, 1)
    if kind == 1 and shape:
        return torch.stack([values, values], -1)[..., 0]
    if kind == 2 and dtype.is_floating_point:
        return values.requires_grad_()
    return values


def poisoned(rng: random.Random, values: Tensor, pads: Tensor) -> Tensor:
    """The values, with garbage at the pads."""
    if not values.is_floating_point() or rng.random() < 0.5:
        return values
    garbage = rng.choice([float("nan"), float("inf"), float("-inf"), 1e4])
    pads = pads.view(*pads.shape, *[1] * (values.dim() - pads.dim()))
    return values.detach().masked_fill(pads, garbage)


# --- nonsense --------------------------------------------------------------------------------


def nonsense(rng: random.Random) -> Any:
    """Something that hardly any function asks for."""
    return rng.choice(
        [
            None, "abc", "", b"x", object(), 2.5, float("nan"), float("inf"), -1, 0, 3, 10**20,
            True, 1j, [], (), {}, [1, [2]], [None], ["a"], [[]], [2.0], {"a": 1}, {1, 2}, range(3),
            slice(2), nn.Linear(1, 1), print, np.float32(2.5), np.int64(2), np.bool_(True),
            np.array([1.5]), np.array(["a"]), np.zeros((2, 3)), torch.float32, torch.Size([2]),
            torch.tensor(2), torch.tensor(2.5), torch.tensor(True), torch.empty(0),
            torch.zeros(0, 3), torch.ones(2, 3), torch.ones(2, 3, dtype=torch.bool),
            torch.ones(2, 2, dtype=torch.complex64), [torch.ones(2)], [torch.tensor(1)],
        ]
    )  # fmt: skip


def _twisted(rng: random.Random, value: Tensor) -> Any:
    """A tensor that is nearly the one given."""
    values = value.detach()
    ways = [
        lambda: values.to(rng.choice(DTYPES)),
        lambda: values[None],
        lambda: values[..., None],
        lambda: values.numpy() if values.dtype != torch.bfloat16 else values.tolist(),
        lambda: values.tolist(),
        lambda: values.flatten(),
        lambda: values.sum(),
        lambda: torch.full_like(values, 0),
        lambda: torch.full_like(values, rng.choice([-1, 1, 7, 100])),
    ]
    if values.dim():
        axis = rng.randrange(values.dim())
        size = values.shape[axis]
        ways += [
            lambda: values.narrow(axis, 0, 0),
            lambda: values.narrow(axis, 0, max(size - 1, 0)),
            lambda: torch.cat([values, values], axis),
            lambda: values.select(axis, 0) if size else values[None],
            lambda: values.transpose(0, axis),
            lambda: values.narrow(axis, 0, min(size, 1)),
            lambda: values.flip(axis),
        ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of complex numbers that lose a part
        return rng.choice(ways)()


def _changed(rng: random.Random, value: Any) -> Any:
    """One item of a list spoiled, or one missing, or one too many."""
    items = list(value)
    kind = rng.randrange(4)
    if not items or kind == 0:
        return [*items, nonsense(rng)]
    place = rng.randrange(len(items))
    if kind == 1:
        del items[place]
    elif kind == 2 or isinstance(items[place], int):
        items[place] = rng.choice([-1, 0, 99, 10**19, 1.5, True, None, nonsense(rng)])
    else:
        items[place] = spoiled(rng, items[place])
    return items


def spoiled(rng: random.Random, value: Any) -> Any:
    """Something other than the value, near it or not."""
    if isinstance(value, Tensor) and rng.random() < 0.7:
        return _twisted(rng, value)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields") and rng.random() < 0.7:
        return _changed(rng, value)
    if isinstance(value, int) and rng.random() < 0.5:
        return rng.choice([-value, value + 1, value - 1, float(value), str(value), 0, -1, 50])
    return nonsense(rng)


# --- the judge -------------------------------------------------------------------------------


def frozen(value: Any) -> Any:
    """A copy of the arguments as they are, to compare with afterwards."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, PackedSequence):
        return PackedSequence(*(None if part is None else part.clone() for part in value))
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(map(frozen, value)) if not isinstance(value, torch.Size) else value
    return (
        dict(zip(value, map(frozen, value.values()), strict=True))
        if type(value) is dict
        else (value)
    )


def unchanged(value: Any, before: Any) -> bool:
    """Whether a value is what it was, bit for bit."""
    if isinstance(value, Tensor):
        alike = value.shape == before.shape and value.dtype == before.dtype
        return (
            alike
            and torch.equal(value.isnan(), before.isnan())
            and bool(((value == before) | value.isnan()).all())
        )
    if isinstance(value, np.ndarray):
        return np.array_equal(value, before, equal_nan=value.dtype.kind in "fc")
    if isinstance(value, (list, tuple)):
        pairs = zip(value, before, strict=False)
        return len(value) == len(before) and all(unchanged(a, b) for a, b in pairs)
    if type(value) is dict:
        return list(value) == list(before) and all(unchanged(value[k], before[k]) for k in value)
    return value is before or value == before


def same(got: Any, expected: Any, place: str = "result") -> None:
    """Assert that an answer is the oracle's, in kind, shape, dtype and value."""
    if isinstance(expected, Tensor):
        assert isinstance(got, Tensor), f"{place} is a {type(got).__name__}"
        assert got.shape == expected.shape, f"{place}: {got.shape}, expected {expected.shape}"
        assert got.dtype == expected.dtype, f"{place}: {got.dtype}, expected {expected.dtype}"
        wide = torch.complex128 if got.is_complex() else torch.float64
        found, right = got.detach().to(wide), expected.detach().to(wide)
        size = float(right[right.isfinite()].abs().max()) if right.isfinite().any() else 0.0
        allowed = TOLERANCES.get(got.dtype, 1e-9) * max(size, 1e-2)
        good = torch.isclose(found, right, rtol=0, atol=allowed, equal_nan=True)
        assert good.all(), f"{place}: {got}, expected {expected}"
    elif isinstance(expected, dict):
        assert list(got) == list(expected), f"{place}: {list(got)}, expected {list(expected)}"
        for key in expected:
            same(got[key], expected[key], f"{place}[{key!r}]")
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected), f"{place} has {len(got)} parts, not {len(expected)}"
        for number, (a, b) in enumerate(zip(got, expected, strict=True)):
            same(a, b, f"{place}[{number}]")
    elif isinstance(expected, float):
        alike = got == expected or (got != got and expected != expected)
        assert alike or abs(got - expected) <= 1e-6 * max(1, abs(expected)), (
            f"{got}, expected {expected}"
        )
    else:
        assert got == expected, f"{place} is {got!r}, expected {expected!r}"


def _words(value: Any, name: str) -> Iterator[str]:
    """How a message may speak of an argument."""
    yield name
    yield type(value).__name__
    if isinstance(value, (Tensor, np.ndarray)):
        yield from (str(tuple(value.shape)), str(value.dtype))
    elif isinstance(value, PackedSequence):
        yield "sequence"
    elif isinstance(value, (list, tuple)):
        yield str(len(value))
        for item in value:
            yield from _words(item, name)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _words(item, str(key))
    else:
        yield repr(value)[:20]


def names_what_was_given(message: str, case: Case, args: list, kwargs: dict) -> bool:
    """Whether a message mentions an argument: by its name, kind, shape, dtype or value."""
    named = [*inspect.signature(case.function).parameters][: len(args)]
    named += ["argument"] * (len(args) - len(named))
    pairs = [*zip(named, args, strict=True), *kwargs.items()]
    words = {word for name, value in pairs for word in _words(value, name) if word}
    words |= set(case.words)
    return any(re.search(rf"(?<!\w){re.escape(word)}", message, re.IGNORECASE) for word in words)


@contextlib.contextmanager
def in_time(seconds: int = SECONDS) -> Iterator[None]:
    """Stop what hangs."""

    def stop(*_: object) -> None:
        raise AssertionError(f"not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _spoil(rng: random.Random, case: Case, args: list, kwargs: dict) -> None:
    """Spoil one argument, or two."""
    names = [*inspect.signature(case.function).parameters]
    places = [i for i in range(len(args)) if case.touch is None or names[i] in case.touch]
    places += [name for name in kwargs if case.touch is None or name in case.touch]
    for place in rng.sample(places, min(len(places), rng.choice([1, 1, 1, 2]))):
        where = args if isinstance(place, int) else kwargs
        where[place] = spoiled(rng, where[place])


def _judge(case: Case, args: list, kwargs: dict, sensible: bool) -> str:
    """Call once and say what became of it; raise AssertionError if that is not allowed."""
    before, state = frozen([args, kwargs]), (torch.get_rng_state(), random.getstate())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = case.function(*args, **kwargs)
    except (ValueError, TypeError) as error:
        refusal: Exception | None = error
    else:
        refusal = None
    if refusal is not None:
        assert not sensible, f"a sensible call is refused: {refusal!r}"
        named = names_what_was_given(str(refusal), case, args, kwargs)
        assert named, f"the message names nothing that was given: {refusal!r}"
        answer = "refused"
    else:
        try:
            expected = case.oracle(*args, **kwargs)
        except Exception as error:
            raise AssertionError(f"nonsense is answered: {got!r:.300} ({error!r})") from error
        same(got, expected)
        answer = "right"
    assert unchanged([args, kwargs], before), "the arguments are changed"
    assert torch.equal(torch.get_rng_state(), state[0]), "torch's random state is changed"
    assert random.getstate() == state[1], "Python's random state is changed"
    return answer


def _flat(value: Any) -> Tensor:
    """All floats of a result in one vector."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    return torch.cat([torch.as_tensor(part).to(torch.float64).flatten() for part in parts])


def _compare_slopes(case: Case, rng: random.Random, args: list, kwargs: dict) -> bool:
    """The gradient along a random direction, against the oracle's finite difference."""
    places = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.dtype == torch.float64]
    if not places:
        return False
    args = list(args)
    for i in places:
        args[i] = args[i].detach().requires_grad_()
    result = _flat(case.function(*args, **kwargs))
    weights = numbers(rng, tuple(result.shape), torch.float64).detach()
    leaves = [args[i] for i in places]
    if not result.requires_grad:
        return False
    found = torch.autograd.grad((result * weights).sum(), leaves, allow_unused=True)
    ways = [numbers(rng, tuple(leaf.shape), torch.float64).detach() for leaf in leaves]
    slope = 0.0
    for gradient, way in zip(found, ways, strict=True):
        assert gradient is None or gradient.isfinite().all(), "a gradient is not finite"
        slope += 0.0 if gradient is None else float((gradient * way).sum())
    ends = []
    for sign in (1e-6, -1e-6):
        moved = list(args)
        for i, way in zip(places, ways, strict=True):
            moved[i] = args[i].detach() + sign * way
        ends.append(float((_flat(case.oracle(*moved, **kwargs)) * weights).sum()))
    expected = (ends[0] - ends[1]) / 2e-6
    assert abs(slope - expected) <= 1e-4 * max(1, abs(expected)), f"{slope=}, {expected=}"
    return True


def try_out(case: Case, part: float = 1, seed: int = 0) -> Counter:
    """Make all of a case's calls, or the first part; what became of them, counted."""
    rng, counts = random.Random(f"{case.function.__name__} {seed}"), Counter()
    draws = round(part * case.draws)
    for number in range(draws):
        args, kwargs = case.draw(rng)
        sensible = number % 2 == 0
        if not sensible:
            _spoil(rng, case, args, kwargs)
        try:
            with in_time():
                counts[_judge(case, args, kwargs, sensible)] += 1
                if case.slopes and sensible:
                    counts["slopes"] += _compare_slopes(case, rng, args, kwargs)
        except Exception as error:
            call = f"{case.function.__name__}(*{args!r:.1500}, **{kwargs!r:.400})"
            raise AssertionError(f"draw {number}: {call}\n{type(error).__name__}: {error}") from (
                error
            )
    assert counts["right"] >= draws // 2
    assert counts["refused"] > 0, "no spoiled call was refused: the oracle knows no limits"
    assert counts["slopes"] > 0 or not case.slopes
    return counts
