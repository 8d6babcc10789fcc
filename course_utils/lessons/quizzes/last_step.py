"""The quiz and the guesses on reading one vector a sequence."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="last_step",
        notebook=7,
        title="The last step",
        questions=[
            Question(
                "A batch was packed, run and unpacked. What is `output[:, -1]` for a row that is "
                "shorter than the longest one?",
                [
                    Option(
                        "Its state after its last real step",
                        "That stands at its own step length - 1.",
                    ),
                    Option("Zeros", "Unpacking fills the pads with zeros.", right=True),
                    Option(
                        "Its state after the padding",
                        "A packed run never reads padding, so there is no such state.",
                    ),
                ],
                notebook=7,
            ),
            Question(
                "Which of these is not the state after each row's last real step, in one "
                "direction, padded on the right?",
                [
                    Option(
                        "output[torch.arange(B), lengths - 1]",
                        "It is: each row is read at its own last real step.",
                    ),
                    Option("h_n[-1] of a packed run", "It is: packing stops at each row's end."),
                    Option(
                        "h_n[-1] of a padded run",
                        "Without lengths the layer runs on through the pads.",
                        right=True,
                    ),
                ],
                notebook=7,
            ),
            Question(
                "An LSTM with two layers and `batch_first=True` gets a batch of four. Which shape "
                "has `h_n` for 16 hidden units?",
                [
                    Option("(4, 2, 16)", "batch_first does not touch the states."),
                    Option("(2, 4, 16)", "Layers first, then the batch.", right=True),
                    Option("(4, 16)", "Every layer has a final state, and all are returned."),
                ],
                notebook=7,
            ),
            Question(
                "In two directions, what has the backward half read at a row's last real step?",
                [
                    Option("The whole sequence", "It arrives at step 0, and only there."),
                    Option("One step", "It starts there.", right=True),
                    Option("Nothing", "It has read the last real step itself."),
                ],
                notebook=7,
            ),
            Question(
                "You pad on the left and read `output[:, -1]`. What is still wrong?",
                [
                    Option(
                        "Nothing: the last column is real in every row",
                        "The index is right. But what did the state do before the first real step?",
                    ),
                    Option(
                        "The state has read padding before the first real step",
                        "The biases move it away from zero, so it starts from somewhere else.",
                        right=True,
                    ),
                    Option("The index", "The last column is a real step in every row."),
                ],
                notebook=7,
            ),
            Question(
                "Pads are zero after unpacking. For which pooling over time is that enough?",
                [
                    Option("The sum", "Zeros add nothing.", right=True),
                    Option("The mean", "Zeros still count in the divisor."),
                    Option("The maximum", "Zero wins where all real values are negative."),
                    Option("Softmax attention", "A score of zero is not a weight of zero."),
                ],
                notebook=7,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="last_step.right_rows",
        notebook=7,
        text="“The standard way to read an RNN is `output[:, -1]`.” The batch has sequences of 5, "
        "3, 7 and 2 steps. In how many of the four rows does it give the state after the last "
        "real step?",
        why="The last column is step 6. Only the sequence of seven steps has a step 6.",
        unit="rows",
    ),
    Guess(
        key="last_step.fading",
        notebook=7,
        text="“The network learns to ignore pads.” For that, a gradient must reach the real steps. "
        "How does the gradient at the last real step change when eight pads follow it and the "
        "state is read after them?",
        why="On its way back the gradient passes through every pad step, and shrinks at each.",
        options=[
            Option("Hardly: pads are zero", "Their inputs are zero. The recurrence is not."),
            Option("It shrinks to about a half", "It shrinks at every single pad."),
            Option("It shrinks ten times or more", "Step by step.", right=True),
        ],
    ),
    Guess(
        key="last_step.backward_half",
        notebook=7,
        text="Two directions, a packed run, a sequence of 7 steps. How many steps can influence "
        "the backward half of the output at the last real step?",
        why="The backward direction starts at the last real step and walks to step 0. At its "
        "start it has read one step.",
        unit="steps",
    ),
    Guess(
        key="last_step.left_padding",
        notebook=7,
        text="“Pad on the left, and the problem is gone: `output[:, -1]` is always a real step.” "
        "True?",
        why="The index is right and the state is not: it has been moving since the first pad.",
        options=[
            Option("True", "The step is real. What the state has read before it is not."),
            Option("False: the index is still wrong", "The last column is real in every row."),
            Option(
                "False: the state is moved before the first real step",
                "Biases and recurrence work on zeros, too.",
                right=True,
            ),
        ],
    ),
    Guess(
        key="last_step.zero_scores",
        notebook=7,
        text="“States at pads are zero, so attention ignores them.” A sequence has 3 real steps "
        "and 4 pads with states of zero. How much of the attention's weight goes to the pads?",
        why="A state of zero has the score 0, and `exp(0)` is 1: an ordinary share of the softmax.",
        unit="per cent",
    ),
    Guess(
        key="last_step.short_utterances",
        notebook=7,
        text="All utterances are padded to 29 frames, and the wrong reader reads column 28. On "
        "which utterances will it do worst?",
        why="The shorter the utterance, the more padding lies between its last frame and the "
        "reader.",
        options=[
            Option("On the longest: they are the hardest", "They have the fewest pads."),
            Option("On the shortest: they have the most pads", "20 pads and more.", right=True),
            Option(
                "On all alike: it has learned to ignore pads",
                "It sees little of what it should learn from.",
            ),
        ],
    ),
]
