"""Explorer of what padding does to a trained model's answer."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import torch
from torch import nn

from course_utils.data import SequenceDataset, load_japanese_vowels
from course_utils.explorers.controls import Slider
from course_utils.explorers.wiring import explorer
from course_utils.models import LastStepRNN
from course_utils.pictures import Picture, draw_probabilities
from course_utils.wrong_models import LastColumnRNN


def _untrained() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"last column": LastColumnRNN(12, 16, 9), "last real step": LastStepRNN(12, 16, 9)}


def explore_serving(
    readers: Mapping[str, nn.Module] | None = None, dataset: SequenceDataset | None = None
) -> widgets.Widget:
    """Serve one utterance with more and more pads: which model changes its mind?

    Args:
        readers: name -> model called as ``model(inputs, lengths)``, one result a sequence; two
            untrained ones if not given.
        dataset: utterances and their speakers; the test set, as it is, if not given.
    """
    readers = _untrained() if readers is None else readers
    dataset = load_japanese_vowels("test") if dataset is None else dataset
    names = [f"speaker {number + 1}" for number in range(int(dataset.targets.max()) + 1)]

    @torch.no_grad()
    def draw(utterance: float, pads: float) -> Picture:
        sequence, speaker = dataset[int(utterance)]
        padded = torch.cat([sequence, sequence.new_zeros(int(pads), sequence.shape[1])])[None]
        chances = {}
        for name, model in readers.items():
            device = next(model.parameters()).device
            logits = model.eval()(padded.to(device), torch.tensor([len(sequence)], device="cpu"))
            chances[name] = logits[0].softmax(-1).cpu()
        title = f"Utterance {int(utterance)}: {len(sequence)} frames and {int(pads)} pads"
        return draw_probabilities(chances, true=int(speaker), names=names, title=title)

    return explorer(
        draw,
        utterance=Slider(description="Utterance", value=0, min=0, max=len(dataset) - 1),
        pads=Slider(description="Pads", value=0, min=0, max=30),
    )
