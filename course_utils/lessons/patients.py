"""The clinic's patients: something wrong that runs, its cure, and the source of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from IPython.display import display
from torch import nn

from course_utils.html import Message, code_block
from course_utils.lessons.solutions import Wrong, plain_source


@dataclass(frozen=True)
class Patient:
    """Something wrong that runs, and the same without the mistake.

    ``kind`` says how the mistake shows: padcheck is ``"red"``, padcheck is ``"green"`` although
    the model is wrong, or a ``"function"`` is compared with the right one.
    """

    wrong: type[nn.Module] | Wrong
    """From ``course_utils.wrong_models`` or from a topic."""
    cure: Callable[..., Any]
    kind: Literal["red", "green", "function"] = "red"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of both models."""
    mode: Literal["eval", "train"] = "eval"
    """The mode in which padcheck is asked."""

    def versions(
        self, device: torch.device | str, seed: int
    ) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The wrong and the right version: two functions, or two models with the same weights.

        Models have 10 features and 2 results, random weights of this ``seed``, and double
        precision.
        """
        if self.kind == "function":
            return self.wrong, self.cure
        torch.manual_seed(seed)
        sick, well = (kind(10, 8, 2, **self.options) for kind in (self.wrong, self.cure))
        weights = sick.state_dict()
        well.load_state_dict({key: weights[key] for key in well.state_dict()})
        return sick.double().to(device), well.double().to(device)


def show_source(thing: Any, method: str = "forward") -> None:
    """Show the code of a function, or of one method of a model, marked as wrong if it is.

    Args:
        thing: a function, a solution, a wrong version, or a model.
        method: which method of a model.
    """
    display(source_message(thing, method))


def source_message(thing: Any, method: str = "forward") -> Message:
    """What :func:`show_source` shows."""
    if isinstance(thing, Wrong):
        function, is_wrong = thing.function, True
    elif isinstance(thing, nn.Module):
        function = getattr(type(thing), method)
        is_wrong = "belief" in vars(type(thing))
    else:
        function, is_wrong = getattr(thing, "function", thing), False
    name = f"{type(thing).__name__}.{method}" if isinstance(thing, nn.Module) else function.__name__
    code = f"# {'wrong' if is_wrong else 'right'}: {name}\n{plain_source(function)}"
    return Message(code_block(code), code)
