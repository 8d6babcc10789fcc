"""The quiz and the guesses on masking."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="masking",
        notebook=4,
        title="Masking",
        questions=[
            Question(
                "`lengths` has shape `(B,)` and `steps` is `torch.arange(T)`. Which comparison "
                "gives the mask `(B, T)`?",
                [
                    Option(
                        "steps[None, :] < lengths[:, None]",
                        "A row of step numbers against a column of lengths: one answer a cell.",
                        right=True,
                    ),
                    Option(
                        "steps[None, :] <= lengths[:, None]",
                        "Steps count from 0, so step number `length` is the first pad.",
                    ),
                    Option(
                        "steps[:, None] < lengths[None, :]",
                        "That is `(T, B)`: rows and columns are swapped.",
                    ),
                    Option(
                        "inputs.sum(-1) != 0",
                        "A real step may be zero, or its features may cancel.",
                    ),
                ],
                notebook=4,
            ),
            Question(
                "You set all padded inputs to zero before an RNN with biases. Then you read the "
                "final state. What do you get for a short sequence?",
                [
                    Option(
                        "The state after its last real step",
                        "The input adds nothing at a pad, but recurrence and biases go on.",
                    ),
                    Option(
                        "A state that has moved on through the pads",
                        "Only carrying the old state keeps it still.",
                        right=True,
                    ),
                    Option("Zero", "Nothing sets the state to zero."),
                ],
                notebook=4,
            ),
            Question(
                "A sensor missed step 4 of 9. You want the model to act as if that step did not "
                "exist. What happens to the hidden state at step 4?",
                [
                    Option(
                        "state * mask",
                        "That sets the state to zero: everything before the gap is forgotten.",
                    ),
                    Option(
                        "torch.where(mask, new, state)",
                        "The old state is carried over the gap, as if the step were deleted.",
                        right=True,
                    ),
                    Option(
                        "The step's input becomes zero",
                        "A step with an input of zero is still a step: the state moves.",
                    ),
                ],
                notebook=4,
            ),
            Question(
                "`torch.where(mask, x.log(), 0.0)` at a masked `x = 0`. What is the gradient of "
                "`x` there?",
                [
                    Option("0", "The result is 0, but the gradient goes through the logarithm."),
                    Option(
                        "NaN",
                        "The branch gets a gradient of 0, and 0 times 1/0 is NaN. Make `x` safe "
                        "before the logarithm.",
                        right=True,
                    ),
                    Option("infinite", "1/0 is infinite, but it is multiplied by 0."),
                ],
                notebook=4,
            ),
            Question(
                "You pass a mask with True = real as `key_padding_mask` to "
                "`nn.MultiheadAttention`. What happens?",
                [
                    Option(
                        "An error: the mask is the wrong way round",
                        "Any boolean mask of the right shape is accepted.",
                    ),
                    Option(
                        "It attends to pads and ignores real steps",
                        "There, True means ignore. Nothing raises, so convert on purpose.",
                        right=True,
                    ),
                    Option(
                        "It works: True means real everywhere",
                        "Not here: conventions differ, even between two functions of PyTorch.",
                    ),
                ],
                notebook=4,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="masking.invert",
        notebook=4,
        text="A mask is stored as whole numbers, 1 = real and 0 = padding. What does `~mask` give?",
        why="On whole numbers `~` flips all bits: 1 becomes -2 and 0 becomes -1. Both are not "
        "zero, so both count as True.",
        options=[
            Option("0 = real and 1 = padding", "That is what `~` does to booleans."),
            Option("An error", "`~` is defined for whole numbers. It flips their bits."),
            Option("-2 and -1", "All bits are flipped, not the truth value.", right=True),
        ],
    ),
    Guess(
        key="masking.zeroing",
        notebook=4,
        text="It is often said: set the padded inputs to zero, and the padding is masked. A tanh "
        "RNN with biases reads two such zeros after a sequence. What does its state do?",
        why="The input is gone, and the biases and the recurrent weight are still there. They move "
        "the state at each zero step.",
        options=[
            Option("It stays: zeros are neutral", "The input is one of three terms."),
            Option("It moves, but only by rounding", "The moves are as large as real ones."),
            Option("It moves clearly", "Biases and recurrence go on.", right=True),
        ],
    ),
    Guess(
        key="masking.left",
        notebook=4,
        text="It is often said: pad on the left, where the state is still zero, and nothing can go "
        "wrong. For which layers is that true?",
        why="Without biases, zeros in and a state of zero give a state of zero. With biases the "
        "state has moved before the first real step arrives.",
        options=[
            Option("For all recurrent layers", "Biases move the state even from zero."),
            Option("For layers without biases", "Zero in and zero state: zero out.", right=True),
            Option("For none", "There is one case in which nothing moves the state."),
        ],
    ),
    Guess(
        key="masking.gradient",
        notebook=4,
        text="The pads hold zeros, and a model reads the state after them. How large is the "
        "gradient of that state with respect to the inputs at the pads?",
        why="A gradient with respect to an input depends on the weights behind it, not on the "
        "input's own value. The last pad is the nearest to the loss, so it gets the most.",
        options=[
            Option(
                "Zero, because the inputs are zero", "The slope of `w * x` is `w`, whatever `x` is."
            ),
            Option(
                "Smaller than at real steps",
                "It is larger: pads are nearer to the loss than real steps.",
            ),
            Option("As large as anywhere, or larger", "They stand at the end.", right=True),
        ],
    ),
    Guess(
        key="masking.ignores",
        notebook=4,
        text="It is often said: the network learns to ignore padding. Before it can learn, "
        "gradient must reach the real steps. What do eight pads behind the last real step do to "
        "the gradient there?",
        why="The gradient passes backward through every pad, and each one shrinks it. The short "
        "sequences, with the most pads, teach the network least.",
        options=[
            Option("Nothing: the pads are zeros", "The state still runs through them."),
            Option("They halve it", "Eight steps of shrinking are more than that."),
            Option("Less than a tenth is left", "Each pad shrinks it again.", right=True),
        ],
    ),
    Guess(
        key="masking.hole",
        notebook=4,
        text="A step in the middle is missing. One program multiplies the state by the mask there, "
        "another one carries the old state on. Which one acts as if the step had been deleted?",
        why="Multiplying sets the state to zero and so cuts the sequence in two. Carrying deletes "
        "the step and nothing else.",
        options=[
            Option("The one that multiplies", "It forgets everything before the gap."),
            Option("The one that carries", "The next real step sees the old state.", right=True),
            Option("Both", "They agree only where the old state was zero."),
        ],
    ),
    Guess(
        key="masking.zero_scores",
        notebook=4,
        text="It is often said: states at pads are zero, so attention ignores them. A sequence of "
        "5 steps has 2 such pads, whose scores are zero. How much of the attention do they get?",
        why="e to the power of 0 is 1, so each pad takes a share, like any other step.",
        unit="per cent of the weight",
    ),
    Guess(
        key="masking.nan_times_zero",
        notebook=4,
        text="A loss is NaN at the pads. You multiply it by a mask of zeros and ones, and sum. "
        "What is the result?",
        why="0 times NaN is NaN, and a single NaN makes the sum NaN. Only choosing removes it.",
        options=[
            Option("The sum over real steps", "Zero times NaN is not zero."),
            Option("NaN", "NaN survives every multiplication.", right=True),
            Option("0", "The real steps are not multiplied by zero."),
        ],
    ),
    Guess(
        key="masking.where",
        notebook=4,
        text="`torch.where(mask, a.log(), 0.0)` at `a = [1, 0]`, with the second value masked. The "
        "result is `[0, 0]`. Is the gradient clean, too?",
        why="Backward, `where` sends 0 into the logarithm's branch, and the logarithm multiplies "
        "it by 1/0. Zero times infinity is NaN.",
        options=[
            Option("Yes: what is not chosen has no gradient", "It has a gradient of 0 times 1/a."),
            Option("No: it is NaN at the masked value", "0 times infinity.", right=True),
        ],
    ),
    Guess(
        key="masking.nan_pads",
        notebook=4,
        text="The pads of a batch hold NaN. A padded LSTM runs over it, and the loss takes "
        "real steps only: `loss[mask].mean()`. What do you get?",
        why="The loss never saw a pad, but the layer did. Its backward pass multiplies the pads' "
        "gradients of zero by NaN and adds them to the weights' gradients.",
        options=[
            Option("A finite loss and finite gradients", "The weights met the NaN, too."),
            Option("A finite loss, and NaN in the gradients", "0 times NaN again.", right=True),
            Option("A NaN loss", "No real step in one direction ever reads a pad."),
        ],
    ),
]
