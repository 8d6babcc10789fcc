"""The quiz and the guesses on padding."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="padding",
        notebook=3,
        title="Padding",
        questions=[
            Question(
                "Sequences of shapes `(5, 10)`, `(3, 10)` and `(7, 10)` go through "
                "`pad_sequence(sequences, batch_first=True)`. What is the shape of the result?",
                [
                    Option("(3, 5, 10)", "5 is the first length. The longest one decides: 7."),
                    Option(
                        "(7, 3, 10)",
                        "That is time first, which you get without batch_first=True.",
                    ),
                    Option(
                        "(3, 7, 10)",
                        "Three sequences, padded to the longest one, ten features.",
                        right=True,
                    ),
                    Option("(15, 10)", "That is the sequences joined end to end, without padding."),
                ],
                notebook=3,
            ),
            Question(
                "How large a share of the batch with lengths 5, 3 and 7 is padding?",
                [
                    Option(
                        "6 of 21 cells, 29 %",
                        "Three rows of 7 cells are 21; 15 are real and 6 are pads.",
                        right=True,
                    ),
                    Option("6 of 15 cells, 40 %", "15 is the number of real cells, not of all."),
                    Option("15 of 21 cells, 71 %", "That is the share of real cells."),
                ],
                notebook=3,
            ),
            Question(
                "You pass a tensor of shape `(B, T, F)` to an `nn.RNN` that was made without "
                "`batch_first=True`. What does PyTorch do?",
                [
                    Option(
                        "It raises an error about the shape",
                        "Any tensor with three axes and F features last is accepted.",
                    ),
                    Option(
                        "It finds out by itself which axis is time",
                        "It cannot: two axes of numbers look alike. The flag decides.",
                    ),
                    Option(
                        "It runs along the wrong axis, without a word",
                        "It takes the rows for time steps, so one sequence's state flows into the "
                        "next one.",
                        right=True,
                    ),
                ],
                notebook=3,
            ),
            Question(
                "Your collate function returns the padded batch alone. Can you find the lengths "
                "later by looking for the zeros at the end of each row?",
                [
                    Option(
                        "Yes: pads are zeros, and real steps are not",
                        "A real step may be zero as well, for example silence in a recording.",
                    ),
                    Option(
                        "Not safely: a real step may be zero too",
                        "Nothing in the values tells a real zero from a pad. Return the lengths.",
                        right=True,
                    ),
                    Option(
                        "Yes, if the batch is sorted by length",
                        "Sorting changes the order of rows, not what the values mean.",
                    ),
                ],
                notebook=3,
            ),
            Question(
                "You put sequences of similar length in the same batch. The memory of the largest "
                "batch is still too much. Why?",
                [
                    Option(
                        "Bucketing cuts the average padding; the batch of the longest stays",
                        "It still holds as many rows of the longest length. A token budget "
                        "bounds it.",
                        right=True,
                    ),
                    Option(
                        "Bucketing adds padding to short sequences",
                        "It removes padding: rows of similar length need few pads.",
                    ),
                    Option(
                        "The batches must also be shuffled",
                        "Shuffling changes which batch comes when, not how large it is.",
                    ),
                ],
                notebook=3,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="padding.stack",
        notebook=3,
        text="What does `torch.stack` do with sequences of 5, 3 and 7 steps?",
        why="A tensor is a box: every row has the same length. Somebody has to decide what fills "
        "the gaps, and `torch.stack` does not.",
        options=[
            Option("It fills the short ones with zeros", "It never invents numbers."),
            Option("It cuts all of them to 3 steps", "It never throws numbers away."),
            Option("It raises an error", "All tensors must have the same shape.", right=True),
        ],
    ),
    Guess(
        key="padding.waste",
        notebook=3,
        text="Sequences of lengths 5, 3 and 7 become one batch. How many per cent of its cells "
        "are padding?",
        why="The batch has 3 x 7 = 21 cells, and 6 of them are pads.",
        unit="per cent",
    ),
    Guess(
        key="padding.batch_first_wrong",
        notebook=3,
        text="An `nn.RNN` made without `batch_first=True` gets a batch of shape `(B, T, F)`. What "
        "will you see?",
        why="Nothing raises. The layer takes the first axis for time, so it walks from one "
        "sequence to the next, and the sequences talk to each other.",
        options=[
            Option("An error about the shape", "The shape is one that the layer accepts."),
            Option(
                "A result of the right shape, and wrong",
                "The shape says nothing about which axis was time.",
                right=True,
            ),
            Option("The right result", "The layer has no way to know which axis is time."),
        ],
    ),
    Guess(
        key="padding.zeros_neutral",
        notebook=3,
        text="After its last real step a sequence goes on with zeros as input. What does the "
        "hidden state of an RNN with biases do?",
        why="The next state is `tanh(W_hh h + b)` even if the input is zero: recurrence and biases "
        "go on moving it.",
        options=[
            Option(
                "It stays where it is: zeros add nothing",
                "The input adds nothing. The recurrent weight and the biases still act.",
            ),
            Option(
                "It becomes zero at once", "That would need a recurrent weight and biases of 0."
            ),
            Option(
                "It moves at every zero step", "The input is only one of three terms.", right=True
            ),
        ],
    ),
]
