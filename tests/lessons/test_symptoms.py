"""Symptoms: each is found in its own sample and in no other; patterns, parts, gradients, styles."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from right_answers import styles
from torch import Tensor

from course_utils.data import collate
from course_utils.lessons.checking import judge
from course_utils.lessons.compare import difference
from course_utils.lessons.draws import Draw
from course_utils.lessons.entries import Exercise
from course_utils.lessons.evidence import Pair, Part, named_sizes, parts_of
from course_utils.lessons.feedback import verdict_message
from course_utils.lessons.relations import named_number, one_factor_a_row
from course_utils.lessons.shapes import named_axis
from course_utils.lessons.solutions import Case, Solution
from course_utils.lessons.sources import made_of_an_argument, row_by_row
from course_utils.lessons.symptoms import (
    STRONG,
    WEAK,
    rows_of_another,
    strong_symptom,
    symptom_of,
)
from course_utils.lessons.topics import exercises
from course_utils.lessons.trials import all_cases, bench_of

EXERCISES = exercises()
WITH_RANDOM_CASES = [e for e in EXERCISES.values() if e.solution.draw_case is not None]


# Samples: what came, made of what was expected and of the arguments; and what is said of it.


def batch(seed: int) -> tuple[dict, Tensor]:
    """Arguments with a mask, some rows full and some without a real step, and a result for them."""
    draw = Draw(seed)
    rows, steps, features = 2 + seed % 4, 2 + (seed * 2) % 5, 1 + seed % 3
    lengths = [steps, *draw.lengths(rows - 1, steps, least=1)]
    lengths[-1] = seed % 2
    mask = torch.arange(steps) < torch.tensor(lengths)[:, None]
    values = draw.normal(rows, steps, features)
    expected = (values.square() + 0.1 * values).masked_fill(~mask[..., None], 0.25)
    return {"values": values, "mask": mask, "scale": 1.5 + seed}, expected * (-1) ** seed


def spoilt_at(mask_of):
    """Wrong where a function of the mask says so, by other amounts everywhere."""

    def make(a, e):
        noise = Draw(7).normal(*e.shape)
        return torch.where(mask_of(a["mask"])[..., None].expand_as(e), e + noise + 3, e)

    return make


def rows_of(mask: Tensor, how) -> Tensor:
    return how(mask, -1)[:, None].expand_as(mask)


def noisy(e: Tensor) -> Tensor:
    return e + Draw(3).normal(*e.shape)


def scaled_rows(a, e: Tensor) -> Tensor:
    return e * (2 + torch.arange(e[..., 0].numel()).view(*e.shape[:-1], 1))


ROWS = "the number of sequences"
SAMPLES = {
    "sign": (lambda a, e: -e, "has the wrong sign"),
    "complement": (lambda a, e: 1 - e, "is one minus"),
    "square": (lambda a, e: e * e, "is the square"),
    "reciprocal": (lambda a, e: 1 / e, "is one divided by"),
    "exponential": (lambda a, e: e.exp(), "is the exponential"),
    "no signs": (lambda a, e: e.abs() * torch.where(e > 9, 0.5, 1), "lost its signs"),
    "no negatives": (lambda a, e: e.clamp(min=0), "0 wherever a negative"),
    "twice": (lambda a, e: 2 * e, "exactly twice"),
    "per cent": (lambda a, e: 100 * e, "100 times too large"),
    "times rows": (lambda a, e: e * len(e), f"too large by the factor {ROWS}"),
    "divided by rows": (lambda a, e: e / len(e), f"divided by {ROWS}"),
    "times features": (lambda a, e: e * e.shape[2], "too large by the factor the number of feat"),
    "real by all": (
        lambda a, e: e * a["mask"].sum() / a["mask"].numel(),
        "times the number of real steps, divided by the number of steps, pads included",
    ),
    "times scale": (lambda a, e: e * a["scale"], "too large by the factor `scale`"),
    "some factor": (lambda a, e: e * math.sin(e.numel()), "off by a single factor"),
    "plus one": (lambda a, e: e + 1, "too large by exactly 1"),
    "plus scale": (lambda a, e: e + a["scale"], "too large by `scale`"),
    "some amount": (lambda a, e: e + math.sin(e.numel()), "off by one amount"),
    "rows' factors": (scaled_rows, "rows that are each off by one factor: within a row"),
    "reversed": (lambda a, e: e.flip(1), "in reverse order in time"),
    "rows reversed": (lambda a, e: e.flip(0), "in reverse order among the sequences"),
    "late": (lambda a, e: e.roll(1, 1), "one place too late in time"),
    "early": (lambda a, e: e.roll(-1, 1), "one place too early in time"),
    "other rows": (lambda a, e: e[torch.randperm(len(e), generator=dice())], "another order"),
    "other places": (
        lambda a, e: e.flatten()[torch.randperm(e.numel(), generator=dice())].view_as(e),
        "the right numbers, in other places",
    ),
    "axes": (lambda a, e: e.transpose(0, 1), "its axes 0 and 1 exchanged"),
    "transposed": (lambda a, e: e.mT, "its axes 1 and 2 exchanged"),
    "new axis": (lambda a, e: e[None], "one axis too many: axis 0"),
    "summed": (lambda a, e: e.sum(1), "only the sum along axis 1"),
    "last step": (lambda a, e: e[:, -1], "only the last entry along axis 1"),
    "kept axis": (lambda a, e: e.mean(1, keepdim=True), "only the mean along axis 1"),
    "longer": (lambda a, e: torch.cat([e, e[:, :1]], 1), "one longer than expected along axis 1"),
    "shorter": (lambda a, e: e[:, :-1], "missing entry is the last one"),
    "half of it": (
        lambda a, e: e[:, : (e.shape[1] + 1) // 2],
        "only the first entries along axis 1",
    ),
    "half more": (
        lambda a, e: torch.cat([e, e[:, : (e.shape[1] + 1) // 2]], 1),
        "goes on too long along axis 1",
    ),
    "flat": (lambda a, e: e.flatten(), "the right numbers in another shape"),
    "real entries": (lambda a, e: e[a["mask"]].flatten(), "real entries alone"),
    "spread": (lambda a, e: noisy(e.expand(len(e) + 1, *e.shape)), "spread to fit"),
    "the argument": (lambda a, e: a["values"], "is `values` itself"),
    "some zeros": (
        lambda a, e: e * (Draw(5).normal(*e.shape) > 0),
        "right in some places and zero in the others",
    ),
    "zeros": (lambda a, e: torch.zeros_like(e), "is zero everywhere"),
    "NaN": (lambda a, e: e * math.nan, "is NaN everywhere"),
    "NaN at pads": (
        lambda a, e: e.masked_fill(~a["mask"][..., None], math.nan),
        "holds NaN at the pads only",
    ),
    "at pads": (spoilt_at(lambda m: ~m), "right at real steps and wrong at the pads"),
    "number at pads": (
        lambda a, e: e.masked_fill(~a["mask"][..., None], 7.0),
        "right at real steps; at the pads it is always 7",
    ),
    "argument at pads": (
        lambda a, e: e.masked_fill(~a["mask"][..., None], a["scale"]),
        "at the pads it is `scale`",
    ),
    "the last one at pads": (
        lambda a, e: torch.where(
            a["mask"][..., None],
            e,
            e.gather(1, (a["mask"].sum(1) - 1).clamp(min=0)[:, None, None].expand_as(e[:, :1])),
        ),
        "at the pads it repeats the last real step of the row",
    ),
    "padded rows": (
        spoilt_at(lambda m: ~rows_of(m, torch.all)),
        "right in full rows and wrong in rows that have pads",
    ),
    "empty rows": (
        spoilt_at(lambda m: ~rows_of(m, torch.any)),
        "wrong in rows without a real step",
    ),
    "last real step": (
        spoilt_at(lambda m: m & (m.cumsum(1) == m.sum(1, keepdim=True))),
        "wrong at the last real step of each row",
    ),
}


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def part_of(make, seeds=range(12)) -> Part:
    pairs = [Pair(a, make(a, e), e) for a, e in map(batch, seeds)]
    return Part("Your result", sorted(pairs, key=lambda pair: pair.right))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_gets_its_own_symptom(name: str):
    make, said = SAMPLES[name]
    text = symptom_of(part_of(make))
    assert text is not None
    assert said in text


@pytest.mark.parametrize("name", SAMPLES)
def test_no_symptom_speaks_of_another_mistake(name: str):
    """Whatever any symptom says of a sample is what is true of it: no other sample's words."""
    make, _ = SAMPLES[name]
    part = part_of(make)
    told = [text for symptom in STRONG + WEAK if (text := symptom(part))]
    true = {name, *(weaker for weaker, stronger in LESS.items() if name in stronger)}
    for text, (other, (_, words)) in itertools.product(told, SAMPLES.items()):
        assert other in true or words not in text, f"{other}: {text}"


FACTORS = {"sign", "twice", "per cent", "times rows", "divided by rows", "times features"}
FACTORS |= {"real by all", "times scale"}
AMOUNTS = {"plus one", "plus scale"}
PAD_NUMBERS = {"number at pads", "argument at pads", "the last one at pads"}
# Whose words say less, and are true of these samples, too.
LESS = {
    "some factor": FACTORS,
    "rows' factors": {*FACTORS, "some factor"},
    "some amount": AMOUNTS,
    "other places": {"reversed", "rows reversed", "late", "early", "other rows", "axes"},
    "other rows": {"rows reversed"},
    "some zeros": {"no negatives"},
    "at pads": {*PAD_NUMBERS, "NaN at pads"},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_symptom_needs_three_cases_and_no_right_one_against_it(name: str):
    make, _ = SAMPLES[name]
    assert symptom_of(part_of(make, range(2))) is None


CONTRADICTED = ["sign", "twice", "times rows", "plus one", "late", "real by all", "axes"]


@pytest.mark.parametrize("name", CONTRADICTED)
def test_right_cases_contradict_a_relation(name: str):
    make, said = SAMPLES[name]
    wrong, right = part_of(make, range(2, 8)), part_of(lambda a, e: e, range(8, 12))
    mixed = Part("Your result", [*wrong.pairs, *right.pairs])
    assert said in symptom_of(wrong)
    assert said not in (symptom_of(mixed) or "")


def test_rows_of_another_part():
    """The last rows of the outputs for the final states."""
    cases = [batch(seed) for seed in range(4)]
    outputs = [Pair(a, e, e) for a, e in cases]
    finals = [Pair(a, e[:, 0], e[:, -1]) for a, e in cases]
    parts = [Part("Your `outputs`", outputs, "outputs"), Part("Your `finals`", finals, "finals")]
    said = "Your `finals` holds rows of your `outputs`, not the right ones."
    assert rows_of_another(parts) == said
    noise = [Pair(a, noisy(e[:, 0]), e[:, -1]) for a, e in cases]
    assert rows_of_another([parts[0], Part("Your `finals`", noise, "finals")]) is None


def test_whole_numbers_of_an_argument():
    counts = [torch.tensor([2, 1, 4 + i]) for i in range(3)]
    pairs = [Pair({"lengths": n}, n.sort().values, torch.tensor([3, 2, 1, 1])) for n in counts]
    assert made_of_an_argument(Part("It", pairs)) == "holds the numbers of `lengths` themselves"
    others = [replace(pair, got=pair.got + 1) for pair in pairs]
    assert made_of_an_argument(Part("It", others)) is None


def test_an_axis_as_long_as_one_of_the_lengths():
    lists = [[2, 1, 3], [4, 2, 5], [3, 1, 4]]
    pairs = [
        Pair({"lengths": torch.tensor(n)}, torch.ones(3, n[0]), torch.zeros(3, n[2])) for n in lists
    ]
    assert "as long as the first length along axis 1" in named_axis(Part("It", pairs))


def test_a_share_of_all_rows_together():
    pairs = []
    for seed in range(4):
        scores = Draw(seed).normal(2 + seed, 3)
        together = scores.flatten().softmax(0).view_as(scores)
        pairs.append(Pair({"scores": scores}, together, scores.softmax(-1)))
    assert one_factor_a_row(Part("It", pairs)).startswith("sums to 1 over all rows together")


def zeroes_scores(scores, mask):
    return (scores * mask).softmax(-1)


def runs_on(rnn, padded, lengths, initial):
    return rnn(padded, initial[None])[1][0]


def runs_on_over_zeros(rnn, padded, lengths, initial):
    real = torch.arange(padded.shape[1]) < lengths[:, None]
    return rnn(padded * real[..., None], initial[None])[1][0]


def reads_one_more(rnn, padded, lengths, initial):
    last = lengths.clamp(max=padded.shape[1] - 1)
    return rnn(padded, initial[None])[0][torch.arange(len(padded)), last]


AS_IF = [
    ("masking.masked_softmax", zeroes_scores, "`mask` only set `scores` to zero"),
    ("packing.final_states", runs_on, "every sequence went on to the end of the padded batch"),
    ("packing.final_states", runs_on_over_zeros, "the pads were set to zero, and counted as steps"),
    ("packing.final_states", reads_one_more, "one step more were read of each sequence"),
]


@pytest.mark.parametrize(("key", "function", "said"), AS_IF)
def test_pads_that_count_are_told(key: str, function, said: str):
    verdict = judge(EXERCISES[key], function, patience=math.inf)
    assert said in verdict.remark


def test_rows_that_do_not_sum_to_one():
    """Shares of a row, as a softmax gives them, divided by something else."""
    pairs = []
    for seed in range(4):
        scores = Draw(seed).normal(3, 2 + seed)
        pairs.append(Pair({"scores": scores}, scores.exp(), scores.softmax(-1)))
    said = "has rows that do not sum to 1; within a row the proportions are right"
    assert symptom_of(Part("Your result", pairs)) == said


CHANGED_SHAPES = [
    (lambda e: e.roll(e.shape[-1] // 2, -1), "has the two halves of its last axis exchanged"),
    (
        lambda e: torch.cat([e[..., : e.shape[-1] // 2], noisy(e)[..., e.shape[-1] // 2 :]], -1),
        "is right in the first half of its last axis and wrong in the second half",
    ),
    (lambda e: e.squeeze(), "has lost its axes of size 1"),
    (lambda e: e.amax(), "is a single number, the largest of all that are expected"),
    (lambda e: e.reshape(*e.shape[:2], 2, -1), "has one axis too many; the numbers are right"),
]


@pytest.mark.parametrize(("make", "said"), CHANGED_SHAPES)
def test_symptoms_of_halves_and_of_lost_axes(make, said: str):
    results = [Draw(n).normal(2 + n % 2, 1, 4 + 2 * n) for n in range(4)]
    pairs = [Pair({}, make(expected), expected) for expected in results]
    assert said in symptom_of(Part("Your result", pairs))


def test_a_factor_is_named_by_the_sizes_of_batches():
    pairs = []
    for seed in range(1, 5):
        sequences = [torch.ones(1 + seed, 2), torch.ones(2, 2)]
        batches = [collate([(s, s) for s in sequences])] * (1 + seed)
        expected = Draw(seed).normal(2, 3)
        pairs.append(Pair({"batches": batches}, expected / len(batches), expected))
    said = "divided by the number of entries of `batches`"
    assert said in symptom_of(Part("Your result", pairs))


def test_a_parameter_that_comes_as_the_result_is_named():
    models = [torch.nn.Linear(1 + n, 2) for n in range(3)]
    pairs = [Pair({"model": m}, m.weight.detach(), torch.ones_like(m.weight)) for m in models]
    pairs = [Pair(p.arguments, p.got, noisy(p.expected)) for p in pairs]
    assert "is `model.weight` itself" in symptom_of(Part("Your result", pairs))


def test_two_parts_in_each_others_place_are_seen():
    pairs = [(a, e, Draw(seed).normal(*e.shape)) for seed in range(4) for a, e in [batch(seed)]]
    one = Part("Your `w`", [Pair(a, other, e) for a, e, other in pairs], "w")
    two = Part("Your `b`", [Pair(a, e, other) for a, e, other in pairs], "b")
    assert strong_symptom([one, two]) == "Your `w` and your `b` stand in each other's place."


def test_parts_in_another_order_are_seen():
    def result(seed: int) -> list[Tensor]:
        draw = Draw(seed)
        return [draw.normal(2), draw.normal(2, 3), draw.normal(3)]

    arguments = [{"seed": seed} for seed in range(4)]
    parts = [
        Part(
            f"Your `{n}`",
            [Pair(a, result(a["seed"])[i - 1], result(a["seed"])[i]) for a in arguments],
            n,
        )
        for i, n in enumerate("abc")
    ]
    assert strong_symptom(parts) == "Your results come in another order: `c`, `a`, `b`."


LISTS = [
    ([[0, 1], [2]], [[0, 1], [2], [3]], "lacks its last entry"),
    ([[1], [2, 3]], [[0], [1], [2, 3]], "lacks its first entry"),
    ([[0, 1], [2], []], [[0, 1], [2]], "one entry too many, at its end"),
    ([[2, 3], [0, 1]], [[0, 1], [2, 3]], "in reverse order"),
    ([[0], [1, 2], [3]], [[0, 1], [2, 3]], "in other groups"),
    ([[1, 0], [3, 2]], [[0, 1], [2, 3]], "right numbers in another order"),
    ([[1], [0, 1], [2]], [[0, 1], [2], [1]], "right entries in another order"),
]


@pytest.mark.parametrize(("got", "expected", "said"), LISTS)
def test_symptoms_of_lists(got, expected, said: str):
    pairs = [Pair({}, got, expected)] * 3
    assert said in symptom_of(Part("Your result", pairs))
    assert symptom_of(Part("Your result", pairs[:2])) is None


def test_another_number_than_the_expected_one_has_a_name():
    lists = [[2, 1], [4, 1, 3], [5, 5, 2, 1], [3]]
    tensors = [torch.tensor(lengths) for lengths in lists]
    pairs = [Pair({"lengths": t}, len(t) * t.max(), t.sum()) for t in tensors]
    part = Part("Your result", sorted(pairs, key=lambda pair: pair.right))
    assert named_number(part) == "is the number of steps, pads included"
    assert named_number(replace(part, pairs=[replace(p, got=p.got + 1) for p in pairs])) is None


def test_two_lists_of_sequences_have_sizes_of_their_own():
    lists = {"inputs": [torch.ones(2, 3)], "targets": [torch.ones(2, 5)]}
    sizes = named_sizes(lists)
    assert sizes["the number of features of `targets`"] == 5
    assert sizes["the number of all entries of `inputs`"] == 6
    assert named_sizes({"inputs": lists["inputs"]})["the number of features"] == 3


# Numbers, tensors, kinds: right in any style.


@pytest.mark.parametrize(
    ("got", "expected", "exact", "right"),
    [
        (torch.ones(2).double(), torch.ones(2), (), True),
        (torch.ones(2).double(), torch.ones(2), ("dtype",), False),
        (torch.ones(2), torch.ones(2).double(), (), False),
        (torch.ones(2, dtype=torch.int32), torch.ones(2).long(), (), False),
        (torch.ones(2).long(), torch.ones(2), (), False),
        (torch.ones(2).bool(), torch.ones(2).long(), (), False),
        (torch.tensor(0.5), 0.5, (), True),
        (torch.tensor(0.5), 0.5, ("kind",), False),
        (0.5, torch.tensor(0.5), (), True),
        (0.5, torch.tensor(0.5), ("kind",), False),
        (1, torch.tensor(1), (), True),
        (1.0, torch.tensor(1), (), False),
        (True, torch.tensor(1), (), False),
        (True, torch.tensor(True), (), True),
        (torch.tensor(True), True, (), True),
        (0.5, torch.tensor([0.5]), (), False),
        ([torch.ones(1)], (torch.ones(1),), ("kind", "dtype"), True),
    ],
)
def test_what_a_task_leaves_open_is_right(got, expected, exact, right: bool):
    assert (difference(got, expected, exact=exact) is None) is right


# The judge, on an exercise made for the purpose: a masked, weighted sum with two results.


def weigh(x: Tensor, mask: Tensor, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    weighed = (x * scale).masked_fill(~mask, 0)
    return weighed, weighed.square().sum(-1)


WEIGH = Solution("test.weigh", weigh, parts=("weighed", "energy"))


@WEIGH.random
def _(draw: Draw) -> Case:
    rows, steps = draw.integer(1, 4), draw.integer(1, 5)
    options = {"scale": draw.choice([0.5, 3.0])} if draw.chance(0.6) else {}
    return Case("", (draw.normal(rows, steps).requires_grad_(), draw.mask(rows, steps)), options)


@WEIGH.trait("x holds a number above 1")
def _(x: Tensor) -> bool:
    return bool((x > 1).any())


@WEIGH.cases
def weigh_cases() -> list[Case]:
    x, mask = torch.tensor([[0.5, -1.5]]).double(), torch.tensor([[True, False]])
    return [
        Case("one row", (x.clone().requires_grad_(), mask)),
        Case("a row of pads alone", (x[:, :1].clone().requires_grad_(), mask[:, 1:])),
        Case("a weight below zero", (x.clone(), ~mask), {"scale": -1.0}),
    ]


EXERCISE = Exercise("test.weigh", "1.1", "t", 1, 1, "t", ["a", "b"])


def told(function):
    verdict = judge(EXERCISE, function, patience=math.inf)
    return verdict, verdict_message(EXERCISE, verdict, "").text


def test_cases_are_drawn_the_same_every_time():
    once, again = all_cases(EXERCISE), all_cases(EXERCISE)
    assert len(once) == 3 + 14
    for one, other in zip(once, again, strict=True):
        assert difference(list(one.args), list(other.args)) is None
        assert one.kwargs == other.kwargs
    assert len({tuple(case.args[0].shape) for case in once}) > 3


def test_parts_have_names_and_marks():
    verdict, text = told(lambda x, mask, scale=2.0: (weigh(x, mask, scale)[0], x.sum(-1)))
    assert verdict.pattern.startswith("for `weighed` ✓, for `energy` ✗: ")
    assert verdict.remark == "Your `energy` is the sum of `x` along axis 1."
    assert "your `energy`" in verdict.problem
    assert "input tensor" not in text


def test_the_pattern_names_what_failing_cases_share():
    def above_one(x, mask, scale=2.0):
        weighed, energy = weigh(x, mask, scale)
        return (weighed + 1, energy) if (x > 1).any() else (weighed, energy)

    def with_default(x, mask, scale=None):
        weighed, energy = weigh(x, mask, scale or 2.0)
        return (weighed, energy) if scale else (weighed + x.mean(), energy)

    def below_zero(x, mask, scale=2.0):
        return weigh(x, mask, abs(scale))

    assert told(above_one)[0].pattern.endswith("; wrong where x holds a number above 1.")
    assert told(with_default)[0].pattern.endswith("; wrong where `scale` is not given.")
    assert "right in 16 of 17 cases; wrong in one: a weight" in told(below_zero)[0].pattern


def test_a_failure_is_shown_on_the_smallest_that_fails():
    verdict, _ = told(lambda x, mask, scale=2.0: (x, x))
    sizes = [trial.size for trial in bench_of(EXERCISE).trials]
    assert sum(tensor.numel() for tensor in verdict.case.args) < sorted(sizes)[3]
    verdict, _ = told(lambda x, mask, scale=2.0: weigh(x, ~mask, scale))
    assert verdict.remark == "It is as if `mask` were inverted, True for False."


def test_where_values_agree_the_gradients_are_shown():
    def half(x, mask, scale=2.0):
        return weigh((x + x.detach()) / 2, mask, scale)

    verdict, text = told(half)
    assert verdict.pattern.startswith("Your values are right, the gradient of `x` is not: ")
    assert verdict.remark.startswith("The gradient of `x` is exactly half")
    assert "Expected, the gradient of `x`:" in text
    assert "Got, the gradient of `x`:" in text
    expected, got = text.split("Expected, ")[1].split("Got, ")
    assert expected.splitlines()[1:3] != got.splitlines()[1:3]


def test_a_lost_history_and_one_that_is_lost_in_part():
    verdict, _ = told(lambda x, mask, scale=2.0: tuple(t.detach() for t in weigh(x, mask, scale)))
    assert "no gradient flows through your result: its history is lost" in verdict.problem
    assert "values are right" in verdict.pattern


def test_a_changed_input_is_said_before_its_consequences():
    def in_place(x, mask, scale=2.0):
        with torch.no_grad():
            x.mul_(scale)
        return x, x.sum(-1)

    verdict, text = told(in_place)
    assert verdict.problem.startswith("your function changes its inputs: `x`")
    assert verdict.remark
    assert text.index("changes its inputs") < text.index(verdict.remark)


def test_an_input_that_is_changed_does_not_spoil_a_right_answer_s_words():
    def right_but_changing(x, mask, scale=2.0):
        result = weigh(x, mask, scale)
        with torch.no_grad():
            x.zero_()
        return result

    verdict, _ = told(right_but_changing)
    assert verdict.kind == "changed"
    assert not verdict.remark


def test_an_argument_that_is_ignored_is_named():
    verdict, _ = told(lambda x, mask, scale=2.0: weigh(x, mask))
    assert verdict.remark == "It is as if `scale` were not used."
    verdict, _ = told(lambda x, mask, scale=2.0: weigh(x.sin().cos(), torch.ones_like(mask), scale))
    assert verdict.remark == "Your result does not depend on `mask`."


def test_a_mean_of_the_rows_own_numbers_is_seen_in_one_part():
    def mean_and_count(sequences: list[Tensor]) -> tuple[float, int]:
        return torch.cat(sequences).mean().item(), len(sequences)

    pairs = []
    for seed in range(4):
        draw = Draw(seed)
        given = {"sequences": [draw.normal(length) for length in (1, 2 + seed, 3)]}
        means = torch.stack([sequence.mean() for sequence in given["sequences"]])
        expected = torch.cat(given["sequences"]).mean()
        pairs.append(Pair(given, means.mean(), expected))
    part = Part("Your `mean`", pairs, "mean")
    told = row_by_row(part, mean_and_count, ("mean", "count"))
    assert told == "is the mean of what each sequence has by itself"


def test_a_whole_number_that_is_not_read_is_said():
    def rolled(x: Tensor, steps: int) -> Tensor:
        return x.exp().roll(steps)

    Solution("test.rolled", rolled).random(lambda d: Case("", (d.normal(7), d.integer(1, 4))))
    exercise = Exercise("test.rolled", "1.1", "t", 1, 1, "t", ["a", "b"])
    exercise.solution.cases(lambda: [Case("five numbers", (torch.arange(5.0), 2))])
    verdict = judge(exercise, lambda x, steps: torch.cat([x[-1:], x[:-1]]).exp())
    assert verdict.remark == "It is as if `steps` were 1, whatever is given."


def test_a_mutant_is_a_diagnosis():
    def no_square(x, mask, scale=2.0):
        weighed = torch.where(mask, scale * x, 0.0)
        return weighed, weighed.sum(dim=1)

    verdict, _ = told(no_square)
    assert verdict.source == "mutant"
    assert verdict.remark == "It is as if the square were missing."


def test_a_sign_speaks_of_a_result_by_itself():
    own = Solution("test.signs", weigh, parts=("weighed", "energy"))
    own.cases(weigh_cases)
    own.random(WEIGH.draw_case)
    own.sign("is the sum of your `weighed`", part="energy")(
        lambda found: torch.allclose(found[1], found[0].sum(-1))
    )
    own.sign("is never said")(lambda found: True)

    def wrong_in_both(x, mask, scale=2.0):
        weighed = weigh(x, mask, scale)[0].cos()
        return weighed, weighed.sum(-1)

    exercise = Exercise("test.signs", "1.1", "t", 1, 1, "t", ["a", "b"])
    remark = judge(exercise, wrong_in_both, patience=math.inf).remark
    assert remark.endswith("Your `energy` is the sum of your `weighed`.")
    assert remark.startswith("Your `weighed` ")


def test_the_order_of_a_dictionary_s_keys_makes_no_difference():
    def forwards(x):
        return {"a": x * 2, "b": x.square()}

    def backwards(x):
        return dict(reversed(forwards(x).items()))

    def cases() -> list[Case]:
        return [Case(f"{n} numbers", (torch.arange(1.0, n + 2).requires_grad_(),)) for n in (1, 2)]

    Solution("test.keys", forwards).cases(cases)
    keys = Exercise("test.keys", "1.1", "t", 1, 1, "t", ["a", "b"])
    assert judge(keys, backwards).status == "right"


def test_an_exception_is_shown_where_nothing_else_is_told():
    def broken(x, mask, scale=2.0):
        return x.sin() + x[:, 2:3], x.sin().sum(-1).exp() + x[:, 2]

    verdict, _ = told(broken)
    assert "raises IndexError" in verdict.problem


def test_gradients_count_only_where_they_are_declared():
    def detached(x, mask, scale=2.0):
        return weigh(x.detach(), mask, scale)

    Solution("test.weigh_values", weigh, gradients=False, parts=("weighed", "energy")).cases(
        weigh_cases
    )
    values = Exercise("test.weigh_values", "1.1", "t", 1, 1, "t", ["a", "b"])
    assert judge(values, detached).status == "right"
    assert judge(EXERCISE, detached).status == "not yet"


def test_a_gradient_of_zeros_may_have_to_arrive():
    def connected(x):
        return x * 0

    def fresh(x):
        return torch.zeros_like(x, requires_grad=True)

    def cases() -> list[Case]:
        return [Case(f"{n} numbers", (torch.ones(n).requires_grad_(),)) for n in (1, 2, 3)]

    Solution("test.connected", connected, exact=("history",)).cases(cases)
    Solution("test.zeros", connected).cases(cases)
    strict, free = (
        Exercise(key, "1.1", "t", 1, 1, "t", ["a", "b"]) for key in ("test.connected", "test.zeros")
    )
    assert judge(free, fresh).status == "right"
    assert "does not depend on it" in judge(strict, fresh).problem


ODD = {
    "empty": lambda e: e[:0],
    "complex": lambda e: e * 1j,
    "half": lambda e: e.half(),
    "bfloat16": lambda e: e.bfloat16(),
    "bytes": lambda e: e.abs().clamp(max=9).to(torch.uint8),
    "boolean": lambda e: e <= 0,
    "infinite": lambda e: e / 0,
    "meta": lambda e: e.to("meta"),
    "sparse": lambda e: e.detach().to_sparse(),
    "numpy": lambda e: e.detach().numpy(),
    "list": lambda e: e.tolist() if e.dim() else [e.item()],
    "nested": lambda e: [[e], (e, {"a": e})],
    "number": lambda e: 10**30,
    "text": lambda e: "text",
    "function": lambda e: lambda: e,
    "module": lambda e: torch.nn.Linear(1, 1),
    "huge": lambda e: e * 1e300 * 1e10,
    "tensor of odd shape": lambda e: e[None, None, ..., None],
    "strings": lambda e: ["a"] * len(e),
    "mixed": lambda e: [e, None, 3],
    "view": lambda e: e.flatten()[0].expand(3, 4),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("both", [True, False])
def test_odd_results_get_a_message(kind: str, both: bool):
    def odd(x, mask, scale=2.0):
        weighed, energy = weigh(x, mask, scale)
        return (ODD[kind](weighed), ODD[kind](energy)) if both else ODD[kind](weighed)

    verdict, text = told(odd)
    assert verdict.status == "not yet"
    assert verdict.problem[1:40] in text


@pytest.mark.parametrize("exercise", WITH_RANDOM_CASES, ids=[e.key for e in WITH_RANDOM_CASES])
@pytest.mark.parametrize("kind", ODD)
def test_odd_results_of_exercises_get_a_message(exercise: Exercise, kind: str):
    def odd(*args, **kwargs):
        result = exercise.reference(*args, **kwargs)
        first = result[0] if isinstance(result, tuple) else result
        return ODD[kind](first if isinstance(first, Tensor) else torch.ones(2))

    verdict = judge(exercise, odd, patience=math.inf)
    assert verdict.status == "not yet"
    assert verdict.problem


def test_parts_of_nested_results():
    found = parts_of({"loss": 1.5, "grads": {"w": torch.ones(1)}})
    assert list(found) == ["loss", "grads.w"]


# Right answers.

STYLES = [(key, style) for key, functions in styles().items() for style in functions]


@pytest.mark.parametrize(("key", "style"), STYLES, ids=[f"{k}-{s.__name__}" for k, s in STYLES])
def test_right_answers_in_any_style_are_right(key: str, style):
    verdict = judge(EXERCISES[key], style)
    assert verdict.status == "right", f"{verdict.pattern} {verdict.problem}"


@pytest.mark.parametrize("key", styles())
def test_every_exercise_keeps_four_right_answers(key: str):
    assert len({style.__name__ for style in styles()[key]}) >= 4
