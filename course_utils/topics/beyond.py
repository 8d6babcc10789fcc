"""Beyond recurrent networks: mask conventions, and rows of several documents."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils import documents, sequences
from course_utils.documents import IGNORED, NO_DOCUMENT, document_ids
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution
from course_utils.sequences import MaskConvention


@solution("beyond.convert_mask", careful=sequences.convert_mask, exact=("dtype",))
def convert_mask(mask: torch.Tensor, to: str, *, source: str = "rnn") -> torch.Tensor:
    """The mask in another convention: "rnn", "mha", "sdpa" or "huggingface"."""
    if source == "mha":
        mask = ~mask
    elif source == "sdpa":
        mask = mask[:, 0, 0]
    elif source == "huggingface":
        mask = mask == 1
    if to == "mha":
        return ~mask
    if to == "sdpa":
        return mask[:, None, None]
    if to == "huggingface":
        return mask.long()
    return mask


@convert_mask.cases
def _() -> list[Case]:
    masks = {
        "as many rows as steps": sequences.lengths_to_mask([2, 1]),
        "four rows": sequences.lengths_to_mask([5, 3, 7, 2]),
        "no pads": sequences.lengths_to_mask([3, 3]),
        "pads between real steps": torch.tensor(
            [[False, True, True, True], [True, False, True, False]], device="cpu"
        ),
    }
    names: tuple[MaskConvention, ...] = ("mha", "sdpa", "huggingface", "rnn")

    def case(name: str, mask: Tensor, source: MaskConvention, to: MaskConvention) -> Case:
        converted = sequences.convert_mask(mask, source)
        return Case(f"{name}, {source} to {to}", (converted, to), {"source": source})

    from_ours = [
        Case(f"{name}, rnn to {to}", (mask, to)) for name, mask in masks.items() for to in names[:3]
    ]
    others = [
        case(name, masks[name], source, to)
        for name in ("four rows", "pads between real steps")
        for source in names[:3]
        for to in names
        if source != to
    ]
    return [
        *from_ours,
        *others,
        Case("one row, rnn to rnn", (sequences.lengths_to_mask([4]), "rnn")),
        case("one row", sequences.lengths_to_mask([2], 3), "sdpa", "huggingface"),
        case("one step", sequences.lengths_to_mask([1, 0]), "sdpa", "mha"),
    ]


@convert_mask.random
def _(draw: Draw) -> Case:
    names: tuple[MaskConvention, ...] = ("rnn", "mha", "sdpa", "huggingface")
    source, to = draw.choice(names), draw.choice(names)
    mask = draw.mask(draw.integer(1, 4), draw.integer(1, 5), share=0.5)
    return Case("", (sequences.convert_mask(mask, source), to), {"source": source})


@convert_mask.trait('`to` is `"mha"`')
def _(to: str) -> bool:
    return to == "mha"


@convert_mask.trait('`to` is `"sdpa"`')
def _(to: str) -> bool:
    return to == "sdpa"


@convert_mask.trait('`to` is `"huggingface"`')
def _(to: str) -> bool:
    return to == "huggingface"


@convert_mask.trait('`source` is `"mha"`')
def _(source: str | None) -> bool:
    return source == "mha"


@convert_mask.trait('`source` is `"sdpa"`')
def _(source: str | None) -> bool:
    return source == "sdpa"


@convert_mask.trait('`source` is `"huggingface"`')
def _(source: str | None) -> bool:
    return source == "huggingface"


@convert_mask.trait('`source` is `"mha"` or `to` is, and not both')
def _(source: str | None, to: str) -> bool:
    return (source == "mha") != (to == "mha")


@convert_mask.wrong(
    "You return the mask as it is: where True means ignore, it shows the pads and hides the data.",
    belief="True means the same in every library.",
)
def returns_it_unchanged(
    mask: Tensor, to: MaskConvention, *, source: MaskConvention = "rnn"
) -> Tensor:
    return mask


@convert_mask.wrong(
    "You turn the mask round for `sdpa`, too: there True means attend, unlike in "
    "`nn.MultiheadAttention`.",
    belief="All attention in PyTorch ignores where the mask is True.",
)
def inverts_for_all_attention(
    mask: Tensor, to: MaskConvention, *, source: MaskConvention = "rnn"
) -> Tensor:
    result = convert_mask(mask, to, source=source)
    return ~result if to == "sdpa" else result


@convert_mask.wrong(
    "Your `sdpa` mask is (B, 1, T, 1): it hides queries. Pads must be hidden as keys, which are "
    "the last axis.",
    belief="Pads must not ask, so the queries are masked.",
)
def masks_the_queries(
    mask: Tensor, to: MaskConvention, *, source: MaskConvention = "rnn"
) -> Tensor:
    result = convert_mask(mask, to, source=source)
    return result.transpose(2, 3) if to == "sdpa" else result


@convert_mask.wrong(
    "On whole numbers `~` flips bits: 1 becomes -2, which is not 0, so every step counts as True. "
    "Compare with 1 first.",
    belief="The sign `~` turns ones into zeros.",
)
def inverts_numbers(mask: Tensor, to: MaskConvention, *, source: MaskConvention = "rnn") -> Tensor:
    if source == "huggingface":
        return convert_mask((~mask).bool(), to)
    return convert_mask(mask, to, source=source)


convert_mask.equivalent("mask = mask[:, -1, 0]", because="The axis has a single entry.")
convert_mask.equivalent("mask = mask[:, 0, -1]", because="The axis has a single entry.")


@solution("beyond.block_diagonal_mask", careful=documents.block_diagonal_mask, exact=("dtype",))
def block_diagonal_mask(documents: torch.Tensor, causal: bool = False) -> torch.Tensor:
    """Boolean mask (B, T, T), True where a query may attend to a key."""
    same = documents[:, :, None] == documents[:, None, :]
    mask = same & (documents != -1)[:, None, :]
    return mask.tril() if causal else mask


# Rows of documents: each row has the lengths of its documents; then the padded length.
_ROWS = {
    "one row": ([[2, 1]], 4),
    "two rows": ([[5, 3, 2], [7]], None),
    "as many rows as steps": ([[1, 1, 1], [3], [2]], 3),
    "one document": ([[4]], None),
    "no pads": ([[2, 2], [2, 2]], 4),
    "more padding": ([[6, 1], [3, 2, 1]], 8),
}
_DOCUMENTS = {name: document_ids(rows, steps) for name, (rows, steps) in _ROWS.items()}


@block_diagonal_mask.cases
def _() -> list[Case]:
    rows = _DOCUMENTS.items()
    plain = [Case(name, (numbers,)) for name, numbers in rows]
    return plain + [Case(f"{name}, causal", (numbers,), {"causal": True}) for name, numbers in rows]


def _draw_documents(draw: Draw) -> Tensor:
    """The documents of a few short rows, some of which are full, or padding alone."""
    rows, steps = draw.integer(1, 3), draw.integer(1, 5)
    numbers = torch.full((rows, steps), NO_DOCUMENT, device="cpu")
    for row in numbers:
        end = draw.choice([0, steps, draw.integer(1, steps)])
        borders = [int(draw.chance(0.4)) for _ in range(end)]
        row[:end] = torch.tensor([0, *borders][:end], device="cpu").cumsum(0)
    return numbers


@block_diagonal_mask.random
def _(draw: Draw) -> Case:
    numbers = _draw_documents(draw)
    causal = draw.choice([{}, {"causal": False}, {"causal": True}, {"causal": True}])
    return Case("", (numbers,), causal)


@block_diagonal_mask.trait("`causal` is True")
def _(causal: bool | None) -> bool:
    return bool(causal)


@block_diagonal_mask.trait("a row has several documents")
def _(documents: Tensor) -> bool:
    return bool((documents > 0).any())


@block_diagonal_mask.trait("there are pads")
def _(documents: Tensor) -> bool:
    return bool((documents == NO_DOCUMENT).any())


@block_diagonal_mask.trait("a row has several pads")
def _(documents: Tensor) -> bool:
    return bool(((documents == NO_DOCUMENT).sum(1) > 1).any())


@block_diagonal_mask.wrong(
    "Your mask knows nothing of documents: every step sees the documents before its own, too.",
    belief="A causal mask is enough for a language model.",
)
def causal_alone(documents: Tensor, causal: bool = False) -> Tensor:
    one_document = documents.clamp(max=0)
    return block_diagonal_mask(one_document, causal)


@block_diagonal_mask.wrong(
    "Your pads attend to each other: they share a number, and it is not a document's.",
    belief="Equal numbers mean the same document.",
)
def pads_see_pads(documents: Tensor, causal: bool = False) -> Tensor:
    mask = documents[:, :, None] == documents[:, None, :]
    return mask.tril() if causal else mask


@block_diagonal_mask.wrong(
    "Your mask is upside down: for `scaled_dot_product_attention` True means attend.",
    belief="A mask marks what is hidden.",
)
def true_hides(documents: Tensor, causal: bool = False) -> Tensor:
    return ~block_diagonal_mask(documents, causal)


@block_diagonal_mask.wrong(
    "Your causal mask shows the future: queries are rows, so the lower triangle is what may be "
    "seen.",
    belief="Queries are columns.",
)
def sees_the_future(documents: Tensor, causal: bool = False) -> Tensor:
    mask = block_diagonal_mask(documents)
    return mask.triu() if causal else mask


@block_diagonal_mask.wrong(
    "A step does not see itself in your causal mask, so a document's first step sees nothing.",
    belief="Causal means strictly earlier.",
)
def not_itself(documents: Tensor, causal: bool = False) -> Tensor:
    mask = block_diagonal_mask(documents)
    return mask.tril(-1) if causal else mask


@block_diagonal_mask.wrong(
    "You do not use `causal`: without it a step may also attend to later steps of its document.",
    belief="Every packed row belongs to a causal model.",
)
def always_causal(documents: Tensor, causal: bool = False) -> Tensor:
    return block_diagonal_mask(documents, True)


@block_diagonal_mask.wrong(
    "You compare each step with its right neighbour's document only: a step sees at most itself "
    "and the next one.",
    belief="Documents have to be told apart at their borders alone.",
)
def neighbours_alone(documents: Tensor, causal: bool = False) -> Tensor:
    mask = block_diagonal_mask(documents, causal)
    return mask.triu(-1).tril(1)


block_diagonal_mask.equivalent(
    "mask = same & (documents != -1)[:, :, None]",
    because="Where both have the same number, a query is a pad exactly if its key is.",
)


@solution("beyond.packed_labels", careful=documents.packed_labels)
def packed_labels(tokens: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
    """The next token of the same document (B, T), -100 where there is none."""
    goes_on = (documents[:, 1:] == documents[:, :-1]) & (documents[:, 1:] != -1)
    labels = torch.full_like(tokens, -100)
    labels[:, :-1] = tokens[:, 1:].masked_fill(~goes_on, -100)
    return labels


def _tokens(documents: Tensor, seed: int) -> Tensor:
    """Random tokens from 1 to 9; token 0 ends every document here and stands at pads."""
    generator = torch.Generator("cpu").manual_seed(seed)
    tokens = torch.randint(1, 10, documents.shape, generator=generator, device="cpu")
    last = torch.ones_like(documents, dtype=torch.bool)
    last[:, :-1] = documents[:, :-1] != documents[:, 1:]
    return tokens.masked_fill(last | (documents < 0), 0)


@packed_labels.cases
def _() -> list[Case]:
    rows = enumerate(_DOCUMENTS.items())
    ended = [Case(name, (_tokens(numbers, i), numbers)) for i, (name, numbers) in rows]
    tokens = torch.tensor([[4, 0, 7, 2, 5]], device="cpu")
    whole, two = document_ids([[5]]), document_ids([[3, 2]])
    return [
        *ended,
        Case("a full row, with token 0 inside the document", (tokens, whole)),
        Case("documents without an end token", (tokens, two)),
    ]


@packed_labels.random
def _(draw: Draw) -> Case:
    numbers = _draw_documents(draw)
    tokens = torch.tensor(
        [draw.lengths(numbers.shape[1], 9, least=draw.choice([0, 1])) for _ in numbers],
        device="cpu",
    )
    return Case("", (tokens.masked_fill(numbers == NO_DOCUMENT, 0), numbers))


@packed_labels.trait("a row is full")
def _(documents: Tensor) -> bool:
    return bool((documents[:, -1] != NO_DOCUMENT).any())


@packed_labels.trait("a row has several documents")
def _(documents: Tensor) -> bool:
    return bool((documents > 0).any())


@packed_labels.trait("a row has several pads")
def _(documents: Tensor) -> bool:
    return bool(((documents == NO_DOCUMENT).sum(1) > 1).any())


@packed_labels.trait("there are pads")
def _(documents: Tensor) -> bool:
    return bool((documents == NO_DOCUMENT).any())


def _next_tokens(tokens: Tensor) -> Tensor:
    """Every token moved one step to the left, with nothing to predict at the end of a row."""
    labels = torch.full_like(tokens, IGNORED)
    labels[:, :-1] = tokens[:, 1:]
    return labels


@packed_labels.wrong(
    "Your last token of a document predicts the first token of the next one: set -100 there.",
    belief="The next token in the row is the next token of the text.",
)
def crosses_borders(tokens: Tensor, documents: Tensor) -> Tensor:
    labels = _next_tokens(tokens)
    labels[:, :-1][documents[:, 1:] == NO_DOCUMENT] = IGNORED
    return labels.masked_fill(documents == NO_DOCUMENT, IGNORED)


@packed_labels.wrong(
    "Your labels are the tokens themselves: a model can copy them from its input. Shift them by "
    "one.",
    belief="The labels of a language model are its inputs.",
)
def not_shifted(tokens: Tensor, documents: Tensor) -> Tensor:
    return tokens.masked_fill(documents == NO_DOCUMENT, IGNORED)


@packed_labels.wrong(
    "Your labels are the tokens before, not the tokens after: shift to the left.",
    belief="Shifting by one is enough, in any direction.",
)
def shifted_right(tokens: Tensor, documents: Tensor) -> Tensor:
    return packed_labels(tokens.flip(1), documents.flip(1)).flip(1)


@packed_labels.wrong(
    "Your labels are shifted twice: each step predicts the token after the next one.",
    belief="Shift once in the data, and once more for the loss.",
)
def shifted_twice(tokens: Tensor, documents: Tensor) -> Tensor:
    return packed_labels(packed_labels(tokens, documents), documents)


@packed_labels.wrong(
    "A full row's last step gets the row's first token as its label: `roll` goes round.",
    belief="The function `roll` moves everything to the left and drops what falls off.",
)
def goes_round(tokens: Tensor, documents: Tensor) -> Tensor:
    same = (documents.roll(-1, 1) == documents) & (documents != NO_DOCUMENT)
    same[:, -1] = documents[:, -1] != NO_DOCUMENT
    return tokens.roll(-1, 1).masked_fill(~same, IGNORED)


@packed_labels.wrong(
    "You ignore the first step of every document: it is the last step that has nothing to predict.",
    belief="The first token of a document cannot be predicted, so its label is -100.",
)
def ignores_the_first(tokens: Tensor, documents: Tensor) -> Tensor:
    starts = torch.ones_like(documents, dtype=torch.bool)
    starts[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return _next_tokens(tokens).masked_fill(starts | (documents == NO_DOCUMENT), IGNORED)


@packed_labels.wrong(
    "You look for padding by its token: the same token ends every document, so no end is ever "
    "learned.",
    belief="The padding token stands at pads only.",
)
def ignores_by_token(tokens: Tensor, documents: Tensor) -> Tensor:
    labels = packed_labels(tokens, documents)
    return labels.masked_fill(labels == 0, IGNORED)


@packed_labels.wrong(
    "Your pads predict pads: they share a number, and it is not a document's.",
    belief="Equal numbers mean the same document.",
)
def pads_predict_pads(tokens: Tensor, documents: Tensor) -> Tensor:
    return packed_labels(tokens, documents - NO_DOCUMENT)
