"""The quiz and the guesses on packed sequences."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="packing",
        notebook=5,
        title="Packed sequences",
        questions=[
            Question(
                "Sequences of lengths 2, 4 and 1 are packed. What is `batch_sizes`?",
                [
                    Option("[2, 4, 1]", "These are the lengths."),
                    Option("[4, 2, 1]", "These are the lengths, sorted."),
                    Option(
                        "[3, 2, 1, 1]",
                        "Three sequences have a step 0, two a step 1, one a step 2 and a step 3.",
                        right=True,
                    ),
                    Option("[3, 3, 3, 3]", "That is the padded batch, pads included."),
                ],
                notebook=5,
            ),
            Question(
                "You pack with `enforce_sorted=False` and pass initial states to the layer. In "
                "which order must the states be?",
                [
                    Option(
                        "In the order of the batch",
                        "The layer sorts them with the rows, and restores the order of `h_n`.",
                        right=True,
                    ),
                    Option(
                        "Sorted by length",
                        "Then they are sorted twice, and rows start from strangers' states.",
                    ),
                    Option(
                        "It does not matter",
                        "Each sequence starts from its own state, or from somebody else's.",
                    ),
                ],
                notebook=5,
            ),
            Question(
                "A one-directional LSTM tags every step of a batch padded on the right, and the "
                "loss takes real steps only. What does packing change about the gradients?",
                [
                    Option(
                        "Nothing beyond rounding",
                        "No real step comes after a pad, so no real output has read one.",
                        right=True,
                    ),
                    Option(
                        "It makes them right",
                        "They are right already: the loss leaves out the pads, and so does time.",
                    ),
                    Option("It makes them smaller", "The same steps count, with the same weights."),
                ],
                notebook=5,
            ),
            Question(
                "The same task with a bidirectional LSTM, not packed. What is wrong?",
                [
                    Option("Nothing, the loss is masked", "The outputs at real steps are wrong."),
                    Option(
                        "The backward direction has read the pads before the last real step",
                        "It starts at the end of the row, which is padding.",
                        right=True,
                    ),
                    Option(
                        "Only the final state is wrong",
                        "The backward half is wrong at real steps as well.",
                    ),
                ],
                notebook=5,
            ),
            Question(
                "Which mistake does `pack_padded_sequence` report?",
                [
                    Option(
                        "A length above T",
                        "It is accepted. The failure comes later, and says nothing about lengths.",
                    ),
                    Option(
                        "A batch that is padded on the left",
                        "It cuts every row from the left end, whatever stands there.",
                    ),
                    Option(
                        "A length of 0",
                        "Every sequence needs a step. Drop empty ones before.",
                        right=True,
                    ),
                    Option(
                        "A forgotten `batch_first=True` where B = T",
                        "The shapes fit, so nothing is noticed.",
                    ),
                ],
                notebook=5,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="packing.batch_sizes",
        notebook=5,
        text="The sequences have lengths 5, 3, 7 and 2. What will `batch_sizes` hold?",
        why="At each step it counts the sequences that are longer than the step's number. The "
        "lengths and these counts both add up to the number of real steps.",
        options=[
            Option("5, 3, 7, 2", "These are the lengths, one for each sequence."),
            Option("7, 5, 3, 2", "These are the lengths, sorted."),
            Option(
                "4, 4, 3, 2, 2, 1, 1",
                "One number a step: how many sequences still run.",
                right=True,
            ),
        ],
    ),
    Guess(
        key="packing.sorted",
        notebook=5,
        text="It is often said: sort the batch by length yourself, and put the results back. Is "
        "that needed?",
        why="With `enforce_sorted=False` PyTorch sorts, remembers the order, and gives outputs and "
        "`h_n` back in the order of your batch.",
        options=[
            Option("Yes, packing wants sorted lengths", "Only with `enforce_sorted=True`."),
            Option("No, PyTorch can do both", "`enforce_sorted=False` does it.", right=True),
            Option(
                "Yes for `h_n`, not for the outputs",
                "Both come back in the order of the batch.",
            ),
        ],
    ),
    Guess(
        key="packing.dropout",
        notebook=5,
        text="`nn.LSTM(10, 16, dropout=0.5)` in training mode runs twice on the same inputs. Do "
        "the two results differ?",
        why="Dropout acts between stacked layers only. With one layer there is no between: PyTorch "
        "warns, and drops nothing.",
        options=[
            Option("Yes, half of the units are dropped", "There is no place where it acts."),
            Option("No, they are the same", "One layer has no next layer.", right=True),
        ],
    ),
    Guess(
        key="packing.only_way",
        notebook=5,
        text="It is often said: packing is the only right way. One direction, padding on the "
        "right, numbers of size 1000 in the pads, and a loss over real steps: how wrong are the "
        "gradients of a padded run?",
        why="In one direction nothing flows from a pad to an earlier step, and the loss asks for "
        "earlier steps only. Packing changes the cost here, not the answer.",
        options=[
            Option("Quite wrong", "No real output has read a pad."),
            Option("Right up to rounding", "Time runs away from the pads.", right=True),
            Option("Right for an RNN, wrong for an LSTM", "The kind of cell makes no difference."),
        ],
    ),
    Guess(
        key="packing.final_state",
        notebook=5,
        text="It is often said: packing matters for the final state only. What does a padded run "
        "in two directions give at the real steps?",
        why="The backward direction begins in the padding and carries what it read there to every "
        "real step.",
        options=[
            Option("The right outputs: the pads come later", "Not for the backward direction."),
            Option(
                "The forward half right, the backward half wrong",
                "The backward half starts in the padding.",
                right=True,
            ),
            Option("Both halves wrong", "The forward half has not met a pad yet."),
        ],
    ),
    Guess(
        key="packing.faster",
        notebook=5,
        text="It is often said: packing is faster, because it computes no padding. Training, on "
        "your device, with lengths that differ: what do you expect?",
        why="Packing saves arithmetic, and pays with sorting, copying and steps on shrinking "
        "batches. Which one wins depends on the layer, the lengths and the device, so measure.",
        options=[
            Option("Packed is always faster", "It computes less, and it handles more."),
            Option("Packed is always slower", "With much padding and big layers it can win."),
            Option("It depends", "Look at your own numbers below.", right=True),
        ],
    ),
]
