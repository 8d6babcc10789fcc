"""Token ids: embeddings, markers, position tables, dictionaries."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from zoo.entries import (
    HIDDEN,
    OUTPUT,
    SIZES,
    TOKENS,
    UNKNOWN,
    Problem,
    Ragged,
    ids_of,
    mask_of,
    steps,
    tokens,
    unmarked,
    vector,
)
from zoo.entries import marked as marked_tokens

MARKER = "lengths from values"


class Tagger(nn.Module):
    """Embedding, recurrent layer, linear: token ids to one result a step or a sequence."""

    def __init__(self, style: str, bidirectional: bool = False, cell: type = nn.GRU) -> None:
        super().__init__()
        self.style = style
        self.embed = nn.Embedding(TOKENS, 6, padding_idx=0)
        self.rnn = cell(6, HIDDEN, 2, batch_first=True, bidirectional=bidirectional, dropout=0.1)
        self.outer = nn.Linear(HIDDEN * (1 + bidirectional), OUTPUT)

    def forward(self, ids: Tensor, lengths: Tensor):
        h = self.embed(ids)
        if self.style == "packed":
            packed = pack_padded_sequence(h, lengths, batch_first=True, enforce_sorted=False)
            h = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]  # T = max length
            return self.outer(h), "the second result is not looked at"
        if self.style == "long lengths":
            longer = (lengths + 1).clamp(max=ids.shape[1])
            packed = pack_padded_sequence(h, longer, batch_first=True, enforce_sorted=False)
            state = self.rnn(packed)[1]
            return self.outer((state[0] if isinstance(state, tuple) else state)[-1])
        h = self.rnn(h)[0]
        if self.style == "gather":
            return self.outer(h[torch.arange(len(h)), lengths - 1])
        if self.style == "off by one":
            return self.outer(h[torch.arange(len(h)), lengths.clamp(max=ids.shape[1] - 1)])
        return self.outer(h)


class BagOfWords(nn.Module):
    """Mean of embeddings; ``real`` says which ids count."""

    def __init__(self, real) -> None:
        super().__init__()
        self.embed, self.outer = nn.Embedding(TOKENS, HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.real = real

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        mask = self.real(ids, lengths)[..., None]
        return self.outer((self.embed(ids) * mask).sum(1) / mask.sum(1))


def by_marker(ids: Tensor, lengths: Tensor) -> Tensor:
    return ids != 0


def all_of(ids: Tensor, lengths: Tensor) -> Tensor:
    return torch.ones_like(ids)


class Reader(nn.Module):
    """Embedding and a transformer layer; the mask comes from the ids, the lengths, or nowhere."""

    def __init__(self, mask: str, table: int = 0) -> None:
        super().__init__()
        self.embed, self.mask = nn.Embedding(TOKENS, HIDDEN), mask
        self.places = nn.Embedding(table, HIDDEN) if table else None
        self.layer = nn.TransformerEncoderLayer(HIDDEN, 2, 16, 0.0, batch_first=True)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        h = self.embed(ids)
        if self.places is not None:
            h = h + self.places(torch.arange(ids.shape[1]))
        real = {"ids": ids != 0, "lengths": mask_of(ids, lengths), "none": None}[self.mask]
        return self.layer(h, src_key_padding_mask=None if real is None else ~real)


class LastMarked(nn.Module):
    """The state at the last id that is no marker, as many classifiers look for it."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(TOKENS, 6), nn.GRU(6, HIDDEN, batch_first=True)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        last = (ids != 0).sum(1) - 1
        return self.rnn(self.embed(ids))[0][torch.arange(len(ids)), last]


class Joined(nn.Module):
    """Every embedding is joined with its neighbours' (both, or earlier ones only)."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self.embed, self.style = nn.Embedding(TOKENS, 4), style
        self.outer = nn.Linear(12, OUTPUT)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        h = self.embed(ids)
        if self.style == "zeroed":
            h = h * mask_of(ids, lengths)[..., None]
        before = F.pad(h, (0, 0, 1, 0))[:, :-1]
        if self.style == "earlier":
            other = F.pad(h, (0, 0, 2, 0))[:, :-2]
        else:
            other = F.pad(h, (0, 0, 0, 1))[:, 1:]
        return self.outer(torch.cat([before, h, other], -1))


class Bigrams(nn.Module):
    """A pair of ids has an embedding of its own: with the next id, or with the one before."""

    def __init__(self, forward_pairs: bool) -> None:
        super().__init__()
        self.embed, self.forward_pairs = nn.Embedding(TOKENS * TOKENS, OUTPUT), forward_pairs

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        after, before = F.pad(ids, (0, 1))[:, 1:], F.pad(ids, (1, 0))[:, :-1]
        return self.embed(ids * TOKENS + (after if self.forward_pairs else before))


class Bag(nn.Module):
    """torch's own bag of embeddings over the padded rows; ``padding_idx`` may leave 0 out."""

    def __init__(self, padding_idx: int | None) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(TOKENS, OUTPUT, mode="mean", padding_idx=padding_idx)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return self.bag(ids)


class FromBatch(nn.Module):
    """A model that takes one dictionary and gives another, in the style of Hugging Face."""

    def __init__(self, use_mask: bool) -> None:
        super().__init__()
        self.embed, self.use_mask = nn.Embedding(TOKENS, HIDDEN), use_mask
        self.mha = nn.MultiheadAttention(HIDDEN, 2, batch_first=True)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        h = self.embed(batch["input_ids"])
        pads = batch["attention_mask"] == 0 if self.use_mask else None
        return {"logits": self.mha(h, h, h, key_padding_mask=pads)[0]}


def call_dict(model: nn.Module, ids: Tensor, lengths: Tensor) -> Tensor:
    batch = {"input_ids": ids, "attention_mask": mask_of(ids, lengths).long()}
    return model(batch)["logits"]


class Ends(nn.Module):
    """Looks for an end token (1): the first in the row, pads included."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(TOKENS, 6), nn.GRU(6, HIDDEN, batch_first=True)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        end = (ids == 1).int().argmax(1)  # 0 where there is none
        return self.rnn(self.embed(ids))[0][torch.arange(len(ids)), end]


def with_end(lengths: list[int], spare: int) -> Problem:
    """Every row ends with its only 1; padding holds any id."""
    rows = ids_of(lengths, 2)
    for row in rows:
        row[-1] = 1
    return Problem(Ragged(rows, None, TOKENS), spare=spare)


TABLE = max(max(lengths) + spare for lengths, spare in SIZES)


def full_table(lengths: list[int], spare: int) -> Problem:
    """The batch as given has as many steps as the position table has rows."""
    return tokens([*lengths[:-1], TABLE - 1], 1)


def full_marked_table(lengths: list[int], spare: int) -> Problem:
    return marked_tokens([*lengths[:-1], TABLE - 1], 1)


TEXT = [
    steps("tagger, two directions", lambda: Tagger("padded", True), "backward direction",
          data=tokens),
    steps("tagger, packed", lambda: Tagger("packed", True, nn.LSTM), data=tokens),
    steps("tagger, packed, train", lambda: Tagger("packed", True), data=tokens, mode="train"),
    steps("tagger, one direction", lambda: Tagger("padded"), data=tokens),
    vector("tagger, off by one", lambda: Tagger("off by one"), "last step", data=tokens),
    vector("tagger, lengths + 1", lambda: Tagger("long lengths"), "wrong lengths", data=tokens),
    vector("tagger, gather", lambda: Tagger("gather"), data=tokens),
    vector("bag of words", lambda: BagOfWords(all_of), "pooling over padding", data=tokens),
    vector("bag of words, masked", lambda: BagOfWords(mask_of), data=tokens),
    vector("bag of words by marker", lambda: BagOfWords(by_marker), data=marked_tokens),
    vector("bag of words by marker, not told", lambda: BagOfWords(by_marker), MARKER,
           data=unmarked),
    vector("bag of words, marker ignored", lambda: BagOfWords(all_of), "pooling over padding",
           data=marked_tokens),
    steps("reader by marker", lambda: Reader("ids"), data=marked_tokens),
    steps("reader by marker, not told", lambda: Reader("ids"), MARKER, data=unmarked),
    steps("reader, marker ignored", lambda: Reader("none"), "attention without mask",
          data=marked_tokens),
    steps("reader by lengths, marked", lambda: Reader("lengths"), data=marked_tokens),
    vector("last that is no marker", LastMarked, data=marked_tokens),
    vector("last that is no marker, not told", LastMarked, MARKER, data=unmarked),
    vector("first end token", Ends, data=with_end),
    vector("torch's bag", lambda: Bag(None), "pooling over padding", data=tokens),
    vector("torch's bag, marker left out", lambda: Bag(0), data=marked_tokens),
    vector("torch's bag, marker kept", lambda: Bag(None), "pooling over padding",
           data=marked_tokens),
    steps("table of T rows", lambda: Reader("lengths", TABLE), data=full_table, limit=0),
    steps("table of T rows, unmasked", lambda: Reader("none", TABLE), "attention without mask",
          data=full_table, limit=0),
    steps("table of T rows by marker", lambda: Reader("ids", TABLE), data=full_marked_table,
          limit=0),
    steps("table of T rows, marker ignored", lambda: Reader("none", TABLE),
          "attention without mask", data=full_marked_table, limit=0),
    steps("embedding joins both neighbours", lambda: Joined("both"), "joined neighbours", UNKNOWN,
          data=tokens),
    steps("embedding joins real neighbours", lambda: Joined("zeroed"), data=tokens),
    steps("embedding joins earlier ones", lambda: Joined("earlier"), data=tokens),
    steps("pairs with the next id", lambda: Bigrams(True), "joined neighbours", UNKNOWN,
          data=tokens),
    steps("pairs with the id before", lambda: Bigrams(False), data=tokens),
    steps("dictionary, mask ignored", lambda: FromBatch(False), "attention without mask",
          data=tokens, call=call_dict),
    steps("dictionary", lambda: FromBatch(True), data=tokens, call=call_dict),
]  # fmt: skip
