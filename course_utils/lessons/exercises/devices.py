"""Exercises on shares of a batch: the loss' scale, dealing out, and an empty share."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

EXERCISES = [
    Exercise(
        key="devices.scaled_loss",
        number="8.1",
        title="The scale factor",
        difficulty=2,
        minutes=6,
        task="Each device has `error_sum`, the sum of its errors over its own real steps, and "
        "knows `counts`, the real steps of every device, `(devices,)`. All devices will average "
        "their gradients. Return the loss on which this device must call `backward()`, so that "
        "the average is the gradient of the mean over all real steps of all devices. If no device "
        "has a real step, the loss is 0.",
        hints=[
            "Write down what you want: the sum of all errors, divided by the sum of all counts.",
            "The average gives you: the sum of all losses, divided by `len(counts)`. Which loss "
            "makes the two equal?",
            "`error_sum * len(counts) / counts.sum()`. Then think of counts that are all 0: "
            "`.clamp(min=1)`.",
        ],
    ),
    Exercise(
        key="devices.share_by_tokens",
        number="8.2",
        title="Deal out by real steps",
        difficulty=2,
        minutes=10,
        task="Deal sequences out to devices so that all get about equally many real steps. Take "
        "the longest sequence first, then the next longest, and so on (equal lengths in the order "
        "given). Each goes to the device with the fewest real steps so far; on a tie, to the "
        "first of them. Return a list with one list a device: the positions of its sequences in "
        "`lengths`, in ascending order. A device can stay empty.",
        hints=[
            "You need two things for each device: the list of its positions, and its number of "
            "real steps so far.",
            "`sorted(range(len(lengths)), key=lambda i: -lengths[i])` gives the positions, the "
            "longest first, and keeps equal ones in order.",
            "`steps.index(min(steps))` is the first device with the fewest real steps. Sort each "
            "share at the end.",
        ],
    ),
    Exercise(
        key="devices.share_sum",
        number="8.3",
        title="A device with an empty share",
        difficulty=3,
        minutes=12,
        task="Return the sum of squared errors over the real steps of a share, and the number of "
        "these steps, as `(tensor, int)`. `model(inputs, lengths)` gives `(B, T, ...)`; "
        "`sequences` are tensors `(L_i, features)`, `targets` tensors `(L_i, ...)`. Both lists "
        "may be empty. Then the sum is 0 and the count is 0, and `backward()` on the sum must "
        "still work: it gives each parameter of the model a gradient of zeros.",
        hints=[
            "First the share that is not empty: `pad_batch`, `lengths_of`, `lengths_to_mask`, "
            "then select with the mask before you subtract.",
            "For an empty share the model still has to run, or its parameters have no graph. Give "
            "it one made-up step: zeros of shape `(1, 1, features)`, length 1.",
            "`0 * model(stand_in, [1]).sum()` is 0 and remembers every parameter. The stand-in "
            "needs the dtype and the device of the parameters.",
        ],
    ),
]
