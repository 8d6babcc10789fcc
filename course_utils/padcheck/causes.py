"""The causes that the check knows by name: what goes wrong, the cure, and the notebook."""

from __future__ import annotations

from course_utils.padcheck.answers import Cause

_TABLE = {
    "backward direction": (
        "the backward direction starts in the padding and carries it to real steps.",
        "pack the batch before the recurrent layer.",
        "05_packed_sequences",
    ),
    "final state": (
        "the final state is taken after the recurrent layer has read the padding.",
        "pack the batch: then h_n is the state after each row's last real step.",
        "07_last_step_extraction",
    ),
    "last step": (
        "a step is read that is padding in shorter rows, output[:, -1] for example.",
        "read the last real step: last_steps(output, lengths), or h_n of a packed run.",
        "07_last_step_extraction",
    ),
    "loop over padding": (
        "a loop over the steps moves the state on at pads.",
        "carry the old state on at pads: torch.where(mask, new, old).",
        "04_masking",
    ),
    "left padding": (
        "the state has read the padding on the left before the first real step.",
        "pad on the right and pack, or keep the state at zero until the first real step.",
        "07_last_step_extraction",
    ),
    "reversed padding": (
        "the sequences are reversed together with their padding, which then comes first.",
        "reverse the real steps only, or let a packed bidirectional layer do it.",
        "05_packed_sequences",
    ),
    "layout": (
        "the layer takes rows for steps, so sequences talk to each other.",
        "pass batch_first=True, or transpose with transpose(0, 1), never with view.",
        "03_padding",
    ),
    "lost order": (
        "the rows are sorted or shuffled and never put back.",
        "undo the permutation, or let pack_padded_sequence sort: enforce_sorted=False.",
        "05_packed_sequences",
    ),
    "wrong lengths": (
        "the lengths given to pack_padded_sequence include padding.",
        "pass the true lengths.",
        "05_packed_sequences",
    ),
    "lengths from values": (
        "the real steps are guessed from what the inputs hold.",
        "use the lengths; if the model must look for a pad value, say pad_marker=...",
        "04_masking",
    ),
    "shifted positions": (
        "positions are counted from the padded start, so padding on the left shifts them.",
        "count real steps: position_ids = (mask.cumsum(1) - 1).clamp(min=0).",
        "10_beyond_rnns",
    ),
    "pooling over padding": (
        "a sum or a mean over the steps takes the pads in, or divides by all T steps.",
        "use masked_mean(output, mask, dim=1).",
        "04_masking",
    ),
    "maximum over padding": (
        "the maximum over the steps may be a pad, and a zero beats negative values.",
        "use masked_max(output, mask), which sets pads to -inf first.",
        "07_last_step_extraction",
    ),
    "softmax over padding": (
        "a softmax gives pads a share of the weight.",
        "use masked_softmax(scores, mask), or set the scores of pads to -inf first.",
        "04_masking",
    ),
    "attention without mask": (
        "real steps attend to pads, because attention gets no mask.",
        "pass key_padding_mask=convert_mask(mask, to='mha'), or attention's own mask argument.",
        "10_beyond_rnns",
    ),
    "wrong attention mask": (
        "attention gets a mask, but real steps still attend to pads.",
        "check what True means: nn.MultiheadAttention ignores where its mask is True.",
        "04_masking",
    ),
    "convolution at the edge": (
        "the window of a convolution reaches from the last real step into the padding.",
        "set the pads to zero before every convolution: masked_fill(~mask, 0).",
        "10_beyond_rnns",
    ),
    "normalisation over padding": (
        "statistics are taken over steps or rows, pads included.",
        "normalise each step by itself (layer norm), or take statistics over real steps.",
        "10_beyond_rnns",
    ),
    "batch statistics": (
        "statistics of the whole batch make each row depend on the others.",
        "use layer norm, or accept it in training and check eval mode.",
        "10_beyond_rnns",
    ),
    "loss over padding": (
        "the loss counts padded positions, in its sum or in what it divides by.",
        "use a masked loss: sum over real positions, divided by their number.",
        "06_masked_loss",
    ),
    "overflow in the pads": (
        "large pads become inf or NaN, and multiplying by a mask does not remove them.",
        "use masked_fill or torch.where before the computation, not mask * values after it.",
        "04_masking",
    ),
}
CAUSES = {name: Cause(name, *texts) for name, texts in _TABLE.items()}
UNKNOWN = Cause(
    "unknown",
    "no operation was recognised as the one that lets padding in.",
    "run parts of the model through padcheck, from the first layer on.",
    "11_bug_clinic",
)
