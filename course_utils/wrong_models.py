"""Wrong models: they run, they train, and padding changes their answer.

Each has a right counterpart in ``course_utils.models`` or in PyTorch. ``belief`` is the wrong
idea that the model comes from, ``explanation`` what it does instead. Two of them,
``BackwardAtLastStepRNN`` and ``FirstLayerStatesRNN``, are wrong in another way: padding does
not change their answer, so a padding check cannot see it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.models import RecurrentModel
from course_utils.sequences import Lengths, check_lengths, last_steps, lengths_to_mask


class LastColumnRNN(RecurrentModel):
    """Reads ``output[:, -1]`` of a run over the padded batch.

    The same arguments and the same shapes as ``LastStepRNN``.
    """

    belief = "The last column of the output is the last step of every sequence."
    explanation = "It reads the state after the padding; only the longest row has none."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, output_size)``; the lengths are ignored."""
        return self.linear(self.rnn(inputs)[0][:, -1])


class ZeroedInputsRNN(RecurrentModel):
    """Sets the pads of the input to zero, then reads ``output[:, -1]``."""

    belief = "Zeros at the pads leave the state as it is."
    explanation = "Biases and the recurrence go on moving the state at every zero step."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` to ``(B, output_size)``."""
        mask = lengths_to_mask(lengths, inputs.shape[1], device=inputs.device)
        clean = inputs.masked_fill(~mask[..., None], 0)
        return self.linear(self.rnn(clean)[0][:, -1])


class FinalStateRNN(RecurrentModel):
    """Takes the final hidden state of a run over the padded batch as the summary."""

    belief = "The final state that the layer returns is the state at each sequence's end."
    explanation = "Without lengths the layer goes on to step T, so the state has read padding."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, output_size)``; the lengths are ignored."""
        state = self.rnn(inputs)[1]
        hidden = state[0] if isinstance(state, tuple) else state
        return self.linear(self.last_layer(hidden))


class UnpackedLastColumnRNN(RecurrentModel):
    """Packs and unpacks as it should, then reads ``output[:, -1]``."""

    belief = "After packing, the last column holds the last real step."
    explanation = "Unpacking puts zeros at the pads, so every shorter row is read as zeros."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        return self.linear(self.run_packed(inputs, lengths)[0][:, -1])


class PaddedBidirectionalRNN(RecurrentModel):
    """Runs two directions over the padded batch: one result a step."""

    belief = "A masked loss makes packing unnecessary in two directions as in one."
    explanation = "The backward direction starts in the padding and carries it to real steps."

    def __init__(self, input_size: int, hidden_size: int, output_size: int = 1, **options) -> None:
        super().__init__(input_size, hidden_size, output_size, **options | {"bidirectional": True})

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, T, output_size)``; the lengths are ignored."""
        return self.linear(self.rnn(inputs)[0])


class ReversedPaddingRNN(RecurrentModel):
    """Builds its backward direction with ``flip``, which puts the padding first."""

    belief = "Flipping the batch along time reverses every sequence."
    explanation = "A flipped row starts with its padding, so the state is spoilt before it begins."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, output_size)``; the lengths are ignored."""
        return self.linear(self.rnn(inputs.flip(1))[0][:, -1])


class TimeMajorRNN(RecurrentModel):
    """Forgets ``batch_first``: the layer takes rows for steps. One result a step."""

    belief = "A wrong layout would raise an error."
    explanation = "The layer reads down the rows, so sequences talk to each other."

    def __init__(self, input_size: int, hidden_size: int, output_size: int = 1, **options) -> None:
        super().__init__(input_size, hidden_size, output_size, **options)
        self.rnn.batch_first = False

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, T, output_size)``; the lengths are ignored."""
        return self.linear(self.rnn(inputs)[0])


class SortedOrderRNN(RecurrentModel):
    """Sorts the rows by length and never puts them back."""

    belief = "Packing needs sorted rows, and the results come back in the order of the batch."
    explanation = "Results stay in sorted order, so each row gets another sequence's answer."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        ordered, order = check_lengths(lengths).sort(descending=True, stable=True)
        hidden = self.run_packed(inputs[order.to(inputs.device)], ordered)[1]
        return self.linear(self.last_layer(hidden))


class PaddedMeanRNN(RecurrentModel):
    """Averages over all ``T`` steps, the zeros of unpacking included."""

    belief = "Pads are zero after unpacking, so a plain mean ignores them."
    explanation = "Zeros add nothing to the sum but still count in the divisor T."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        return self.linear(self.run_packed(inputs, lengths)[0].mean(1))


class PaddedMaxRNN(RecurrentModel):
    """Takes the maximum over all ``T`` steps, the zeros of unpacking included."""

    belief = "Zeros never win a maximum."
    explanation = "They win wherever every real value of a feature is negative."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        return self.linear(self.run_packed(inputs, lengths)[0].amax(1))


class ZeroScoreAttentionRNN(RecurrentModel):
    """Pools with attention weights over all ``T`` steps, the zeros of unpacking included."""

    belief = "Pad states are zero, so attention ignores them."
    explanation = "A score of zero is not a weight of zero: softmax gives every pad its share."

    def __init__(self, input_size: int, hidden_size: int, output_size: int, **options) -> None:
        super().__init__(input_size, hidden_size, output_size, **options)
        self.score = nn.Linear(self.linear.in_features, 1, bias=False)

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        output, _ = self.run_packed(inputs, lengths)
        weights = self.score(output).softmax(1)
        return self.linear((weights * output).sum(1))


class BackwardAtLastStepRNN(RecurrentModel):
    """Reads both directions at the last real step. Padding does not change its answer."""

    belief = "The last real step summarises the sequence in both directions."
    explanation = "At the last step the backward direction has read one step only."

    def __init__(self, input_size: int, hidden_size: int, output_size: int, **options) -> None:
        super().__init__(input_size, hidden_size, output_size, **options | {"bidirectional": True})

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        return self.linear(last_steps(self.run_packed(inputs, lengths)[0], lengths))


class FirstLayerStatesRNN(RecurrentModel):
    """Takes ``h_n[:2]`` of two layers in two directions. Padding does not change its answer."""

    belief = "h_n[:num_layers] holds the layers' forward states."
    explanation = "States are ordered by layer first: these are layer 0's two directions."

    def __init__(self, input_size: int, hidden_size: int, output_size: int, **options) -> None:
        super().__init__(
            input_size,
            hidden_size,
            output_size,
            **options | {"bidirectional": True, "num_layers": 2},
        )

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        hidden = self.run_packed(inputs, lengths)[1]
        return self.linear(torch.cat(list(hidden[:2]), dim=-1))


class ValueMaskRNN(RecurrentModel):
    """Finds each sequence's end by looking for steps of zeros, then packs."""

    belief = "A step of zeros is padding, and padding is a step of zeros."
    explanation = "Other padding counts as real, and a real step of zeros as padding."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, output_size)``; the lengths are ignored."""
        guessed = (inputs != 0).any(-1).sum(1).clamp(min=1).cpu()
        hidden = self.run_packed(inputs, guessed)[1]
        return self.linear(self.last_layer(hidden))


class GridStandardizedRNN(RecurrentModel):
    """Standardises the inputs with mean and deviation of the whole padded grid."""

    belief = "Features can be standardised batch by batch."
    explanation = "Pads and the other rows decide what a sequence looks like."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` on the CPU to ``(B, output_size)``."""
        scaled = (inputs - inputs.mean((0, 1))) / inputs.std((0, 1))
        hidden = self.run_packed(scaled, lengths)[1]
        return self.linear(self.last_layer(hidden))


class StepModel(nn.Module):
    """A linear layer in, one out, and a layer between them: the parts that the next ones share.

    Args:
        input_size: features ``F`` of a step.
        hidden_size: features ``H`` in between, a multiple of 4.
        output_size: features of the result at every step.
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int = 1) -> None:
        super().__init__()
        self.embed = nn.Linear(input_size, hidden_size)
        self.layer = self.make_layer(hidden_size)
        self.linear = nn.Linear(hidden_size, output_size)

    def make_layer(self, hidden_size: int) -> nn.Module:
        """The layer that a subclass is about."""
        raise NotImplementedError("a subclass says which layer it is about")


class UnmaskedTransformer(StepModel):
    """Runs a transformer layer without a key mask: one result a step."""

    belief = "Attention finds out by itself that padding is not worth looking at."
    explanation = "Every pad takes its share of the softmax at every real step."

    def make_layer(self, hidden_size: int) -> nn.Module:
        return nn.TransformerEncoderLayer(hidden_size, 2, 2 * hidden_size, 0.0, batch_first=True)

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, T, output_size)``; the lengths are ignored."""
        return self.linear(self.layer(self.embed(inputs)))


class InvertedMaskTransformer(UnmaskedTransformer):
    """Passes a mask with True = real where True means ignore: one result a step."""

    belief = "True means real in every mask."
    explanation = "nn.MultiheadAttention ignores where the mask is True: it sees pads alone."

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` to ``(B, T, output_size)``."""
        mask = lengths_to_mask(lengths, inputs.shape[1], device=inputs.device)
        return self.linear(self.layer(self.embed(inputs), src_key_padding_mask=mask))


class EdgeConvolution(StepModel):
    """Convolves over the padded batch: one result a step."""

    belief = "A convolution is local, so padding at the end cannot matter."
    explanation = "At the last real step its window reaches into the padding."

    def make_layer(self, hidden_size: int) -> nn.Module:
        return nn.Conv1d(hidden_size, hidden_size, 3, padding=1)

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, T, output_size)``; the lengths are ignored."""
        hidden = self.layer(self.embed(inputs).transpose(1, 2)).transpose(1, 2)
        return self.linear(hidden.relu())


class BatchNormOverTime(EdgeConvolution):
    """Normalises every channel over rows and steps, pads included: one result a step."""

    belief = "Batch norm treats every step alike, so a few pads do no harm."
    explanation = "In training the pads take part in mean and variance, and in the running ones."

    def make_layer(self, hidden_size: int) -> nn.Module:
        return nn.BatchNorm1d(hidden_size)


class GroupNormOverTime(EdgeConvolution):
    """Normalises groups of channels over all steps, pads included: one result a step."""

    belief = "Group norm looks at one row at a time, so padding is no matter."
    explanation = "Its statistics run over time, and the pads are part of time."

    def make_layer(self, hidden_size: int) -> nn.Module:
        return nn.GroupNorm(2, hidden_size)


class GridLossRNN(RecurrentModel):
    """Averages the squared error over the whole grid: a scalar loss."""

    belief = "What the loss does at the pads is a constant that the optimizer ignores."
    explanation = "Pads pull at the weights and count in the divisor."

    def forward(self, inputs: Tensor, lengths: Lengths, targets: Tensor) -> Tensor:
        """``(B, T, F)``, lengths and targets ``(B, T, output_size)`` to a scalar."""
        return (self.linear(self.rnn(inputs)[0]) - targets).square().mean()


class LongestLengthLossRNN(RecurrentModel):
    """Masks the squared error, then divides by ``B * max(lengths)``: a scalar loss."""

    belief = "Once the errors at the pads are zero, any divisor will do."
    explanation = "The factor between this and the mean changes with every batch's lengths."

    def forward(self, inputs: Tensor, lengths: Lengths, targets: Tensor) -> Tensor:
        """``(B, T, F)``, lengths and targets ``(B, T, output_size)`` to a scalar."""
        lengths = check_lengths(lengths, inputs.shape[1])
        mask = lengths_to_mask(lengths, inputs.shape[1], device=inputs.device)
        error = (self.linear(self.rnn(inputs)[0]) - targets).square()
        return error.masked_fill(~mask[..., None], 0).sum() / (len(inputs) * int(lengths.max()))
