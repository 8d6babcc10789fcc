"""Right models for padded sequences, and the oracle they are judged against.

Wrong models live in ``course_utils.wrong_models``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from course_utils.checks import check_count, check_float, check_tensor, describe
from course_utils.masked import expand_mask, masked_mean
from course_utils.sequences import (
    Lengths,
    last_steps,
    lengths_of,
    lengths_to_mask,
    pack,
    unpack,
)

Cell = Literal["rnn", "gru", "lstm"]
_LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def _check_inputs(rnn: nn.RNNBase, inputs: Tensor) -> None:
    """Refuse what a recurrent layer cannot read, whatever its own ``batch_first``."""
    check_float(inputs, "inputs")
    if inputs.dim() != 3 or inputs.shape[2] != rnn.input_size or inputs.numel() == 0:
        raise ValueError(
            f"inputs have shape {tuple(inputs.shape)}, expected (B, T, {rnn.input_size}) with at "
            "least one sequence and one step"
        )
    weight = rnn.weight_ih_l0
    mixed = torch.is_autocast_enabled(inputs.device.type)  # then PyTorch chooses the dtype
    if inputs.dtype != weight.dtype and not mixed:
        raise TypeError(f"inputs are {inputs.dtype}, and the layer's weights {weight.dtype}")


class RecurrentModel(nn.Module):
    """A recurrent layer followed by a linear one: the parts that all models here share.

    Args:
        input_size: features ``F`` of a step.
        hidden_size: features ``H`` of the hidden state.
        output_size: features of the result.
        cell: ``"rnn"``, ``"gru"`` or ``"lstm"``.
        num_layers: recurrent layers on top of each other.
        bidirectional: read the sequence in both directions.

    Raises:
        TypeError, ValueError: an unknown cell, or a size that is no whole number above 0.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        *,
        cell: Cell = "rnn",
        num_layers: int = 1,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (
            ("input_size", input_size), ("hidden_size", hidden_size),
            ("output_size", output_size), ("num_layers", num_layers),
        ):  # fmt: skip
            check_count(value, name, 1)
        if not isinstance(cell, str) or cell not in _LAYERS:
            raise ValueError(f"cell is {cell!r}, expected one of {list(_LAYERS)}")
        self.rnn = _LAYERS[cell](
            input_size,
            hidden_size,
            num_layers=num_layers,
            batch_first=True,
            bidirectional=bidirectional,
        )
        self.linear = nn.Linear(hidden_size * (2 if bidirectional else 1), output_size)

    def run_packed(self, inputs: Tensor, lengths: Lengths) -> tuple[Tensor, Tensor]:
        """Run the recurrent layer without padding.

        Args:
            inputs: ``(B, T, F)``.
            lengths: ``(B,)``, on the CPU.

        Returns:
            outputs ``(B, T, directions * H)`` with zeros at pads, and the state after the last
            real step in each direction, ``(layers * directions, B, H)``.

        Raises:
            TypeError, ValueError: inputs that the layer cannot read, and as :func:`pack`.
        """
        _check_inputs(self.rnn, inputs)
        output, state = self.rnn(pack(inputs, lengths))
        hidden = state[0] if isinstance(state, tuple) else state
        return unpack(output, total_length=inputs.shape[1])[0], hidden

    def last_layer(self, hidden: Tensor) -> Tensor:
        """The last layer's final state; of two directions both, forward first.

        Args:
            hidden: the state of every layer and direction, ``(layers * directions, B, H)``.

        Returns:
            ``(B, directions * H)``, which the linear layer reads.
        """
        if self.rnn.bidirectional:
            return torch.cat([hidden[-2], hidden[-1]], dim=-1)
        return hidden[-1]


class MaskedRNN(RecurrentModel):
    """One result a step: pack, recurrent layer, unpack, linear.

    ``(4, 7, 10)`` with lengths ``5, 3, 7, 2`` gives ``(4, 7, 1)``. Results at pads are not zero
    but the linear layer's bias: a masked loss must leave them out.
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int = 1, **options: Any
    ) -> None:
        super().__init__(input_size, hidden_size, output_size, **options)

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, T, output_size)``."""
        return self.linear(self.run_packed(inputs, lengths)[0])


class LastStepRNN(RecurrentModel):
    """One result a sequence, read from the state after its last real step.

    ``(4, 7, 10)`` with lengths ``5, 3, 7, 2`` and ``output_size=5`` gives ``(4, 5)``. In two
    directions both final states are read: the backward one has arrived at the first step.
    """

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        hidden = self.run_packed(inputs, lengths)[1]
        return self.linear(self.last_layer(hidden))


class GatherRNN(RecurrentModel):
    """One result a sequence: run on the padded batch, then pick each row's last real step.

    Right in one direction only, where no real step comes after a pad.

    Raises:
        ValueError: ``bidirectional=True``.
    """

    def __init__(self, *sizes: int, **options: Any) -> None:
        super().__init__(*sizes, **options)
        if self.rnn.bidirectional:
            raise ValueError("a padded run in two directions reads padding: use LastStepRNN")

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` to ``(B, output_size)``."""
        _check_inputs(self.rnn, inputs)
        return self.linear(last_steps(self.rnn(inputs)[0], lengths))


class MeanPoolRNN(RecurrentModel):
    """One result a sequence: the mean of its outputs over real steps."""

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        output, _ = self.run_packed(inputs, lengths)
        mask = lengths_to_mask(lengths, inputs.shape[1], device=inputs.device)
        return self.linear(masked_mean(output, mask, dim=1))


def _one_step(rnn: nn.RNNBase, x: Tensor, state: tuple[Tensor, ...], weights: list[Tensor]):
    """The state after one step of one layer in one direction; each part ``(B, H)``."""
    if rnn.mode == "LSTM":
        return torch.lstm_cell(x, state, *weights)
    cell = {"GRU": torch.gru_cell, "RNN_TANH": torch.rnn_tanh_cell, "RNN_RELU": torch.rnn_relu_cell}
    return (cell[rnn.mode](x, state[0], *weights),)


def _one_direction(
    rnn: nn.RNNBase, inputs: Tensor, mask: Tensor, suffix: str
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Outputs ``(B, T, H)`` and final state of the layer named by ``suffix``, such as l0."""
    names = ["weight_ih", "weight_hh"] + ["bias_ih", "bias_hh"] * rnn.bias
    weights = [getattr(rnn, f"{name}_{suffix}") for name in names]
    steps = range(inputs.shape[1])
    parts = 2 if rnn.mode == "LSTM" else 1
    state = (inputs.new_zeros(len(inputs), rnn.hidden_size),) * parts
    outputs = [state[0]] * inputs.shape[1]
    for t in reversed(steps) if suffix.endswith("reverse") else steps:
        real = mask[:, t, None]
        new = _one_step(rnn, inputs[:, t], state, weights)
        # A pad carries the old state on, in value and in gradient.
        state = tuple(torch.where(real, n, s) for n, s in zip(new, state, strict=True))
        outputs[t] = state[0].masked_fill(~real, 0)
    return torch.stack(outputs, dim=1), state


def run_masked(rnn: nn.RNNBase, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Run a recurrent layer step by step; where the mask is False the state is carried on.

    Slow and clear. Unlike packing it also understands gaps in the middle of a sequence: a
    missing step is skipped as if it were not there.

    Args:
        rnn: ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM``, with any layers and directions, without
            dropout and projection; whatever its ``batch_first``, the layout here is ``(B, T, F)``.
        inputs: ``(B, T, F)``.
        mask: boolean ``(B, T)``, True = real.

    Returns:
        outputs ``(B, T, directions * H)`` with zeros at pads, and the final hidden states
        ``(layers * directions, B, H)``; an LSTM's cell state is not returned.

    Raises:
        TypeError: the mask is not boolean, or the layer not recurrent.
        ValueError: inputs that the layer cannot read, a mask of another shape or device, or a
            layer with dropout or projection.
    """
    if not isinstance(rnn, nn.RNNBase):
        raise TypeError(f"rnn is {describe(rnn)}, expected nn.RNN, nn.GRU or nn.LSTM")
    _check_inputs(rnn, inputs)
    full = expand_mask(mask, inputs)
    if mask.shape != inputs.shape[:2]:
        raise ValueError(
            f"mask {tuple(mask.shape)} does not fit inputs {tuple(inputs.shape)}: expected (B, T)"
        )
    if rnn.proj_size or (rnn.dropout and rnn.training):
        raise ValueError("run_masked knows neither projections nor dropout between layers")
    # Pads may hold anything, NaN included: the cell must not even see them.
    layer = inputs.masked_fill(~full, 0)
    hidden = []
    for number in range(rnn.num_layers):
        suffixes = [f"l{number}"] + [f"l{number}_reverse"] * rnn.bidirectional
        runs = [_one_direction(rnn, layer, mask, suffix) for suffix in suffixes]
        layer = torch.cat([output for output, _ in runs], dim=-1)
        hidden += [state[0] for _, state in runs]
    return layer, torch.stack(hidden)


class OracleResult(NamedTuple):
    """What the oracle found: outputs, the summed loss and its gradient for each parameter."""

    outputs: list[Tensor]
    loss: Tensor
    gradients: dict[str, Tensor]


def gradients(loss: Tensor, model: nn.Module) -> dict[str, Tensor]:
    """Gradient of a loss for each parameter, by name; ``.grad`` and the graph are left alone.

    A parameter that the loss does not depend on gets zeros.

    Raises:
        TypeError, ValueError: a loss that is not one number, or that needs no gradient.
    """
    check_float(loss, "loss")
    if loss.dim() != 0 or not loss.requires_grad:
        raise ValueError(
            f"loss has shape {tuple(loss.shape)} and requires_grad={loss.requires_grad}, expected "
            "one number with a history: was it detached, or computed under no_grad?"
        )
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not named:
        return {}
    found = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
    return {
        name: torch.zeros_like(p) if g is None else g
        for (name, p), g in zip(named.items(), found, strict=True)
    }


def oracle(
    model: nn.Module,
    sequences: Sequence[Tensor],
    loss: Callable[[Tensor, int], Tensor],
) -> OracleResult:
    """Run a model on one sequence at a time, without any padding, and add up.

    Slow and always right: everything else in the course is judged against it.

    Args:
        model: a module called as ``model(inputs, lengths)`` with a batch of one.
        sequences: tensors ``(L_i, F)``.
        loss: ``loss(output, i)`` is sequence ``i``'s *addend*: to get a mean, divide by the
            number of all real steps (or of sequences) in there.

    Returns:
        the output of each sequence without its batch axis, the sum of the losses, and the sum
        of their gradients for each parameter.

    Raises:
        ValueError: no sequences.
    """
    if len(sequences) == 0:
        raise ValueError(f"sequences is {sequences!r:.40}: there is nothing to run")
    outputs, total, summed = [], 0.0, {}
    for i, sequence in enumerate(sequences):
        check_tensor(sequence, f"sequences[{i}]")
        output = model(sequence[None], lengths_of([sequence]))[0]
        addend = loss(output, i)
        for name, gradient in gradients(addend, model).items():
            summed[name] = summed.get(name, 0) + gradient
        outputs.append(output.detach())
        total = total + addend.detach()
    return OracleResult(outputs, total, summed)
