"""The quiz and the guesses of the bug clinic."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="clinic",
        notebook=11,
        title="What would you test?",
        questions=[
            Question(
                "A test pads three sequences of 5 steps and compares a model with itself, one "
                "sequence at a time. It passes. What do you know?",
                [
                    Option(
                        "Padding does not change the model's answer",
                        "There was no padding: all lengths are equal.",
                    ),
                    Option(
                        "Nothing about padding",
                        "Without different lengths no row has a pad.",
                        right=True,
                    ),
                    Option(
                        "The model reads the right step",
                        "With equal lengths the last column is the last real step, for a wrong "
                        "reader too.",
                    ),
                ],
                notebook=11,
            ),
            Question(
                "A tagger in one direction is right at every real step. In two directions only "
                "the longest row is. What do you look at first?",
                [
                    Option(
                        "Whether the batch is packed",
                        "Without packing the backward direction starts in the padding.",
                        right=True,
                    ),
                    Option(
                        "The divisor of the loss", "A loss does not change the tagger's outputs."
                    ),
                    Option(
                        "Which step is read at the end", "A tagger reads all steps, not the last."
                    ),
                ],
                notebook=5,
            ),
            Question(
                "padcheck is green. Which of these may still be wrong?",
                [
                    Option("The reader takes output[:, -1]", "That one is red."),
                    Option(
                        "The loss divides by B times the longest length",
                        "That one is red: single losses do not add up to it.",
                    ),
                    Option(
                        "Both directions are read at the last real step",
                        "Padding has no part in it: alone, the same mistake is made.",
                        right=True,
                    ),
                ],
                notebook=7,
            ),
            Question(
                "In `eval()` mode a model is green, in training mode red, and dropout is off. "
                "What is it likely to hold?",
                [
                    Option("Layer norm", "It looks at one step at a time, in both modes alike."),
                    Option(
                        "Batch norm",
                        "In training its statistics come from the whole batch, pads included.",
                        right=True,
                    ),
                    Option("A convolution", "It does the same in both modes."),
                ],
                notebook=11,
            ),
            Question(
                "The loss is finite in every step, and all weights become NaN in the first one. "
                "Where do you look?",
                [
                    Option(
                        "At the learning rate",
                        "Too large a rate makes the loss explode; it does not do that in one step.",
                    ),
                    Option(
                        "At what is computed before the mask is applied",
                        "The loss drops the NaN, and the backward pass multiplies it with 0.",
                        right=True,
                    ),
                    Option(
                        "At the number of real steps",
                        "If that were 0, the loss itself would be NaN.",
                    ),
                ],
                notebook=6,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="clinic.same_answer",
        notebook=11,
        text="The model packs its batch, runs, and unpacks. Rows 0, 1 and 3 hold three different "
        "sequences and get one and the same answer. What is wrong here?",
        why="Unpacking fills up with zeros. In every shorter row the last column is zero, so the "
        "linear layer returns its bias.",
        options=[
            Option(
                "The weights are too small to tell the rows apart",
                "Then the answers would be close, and not equal to the last digit.",
            ),
            Option(
                "It reads a column that is zero after unpacking",
                "The answer is the bias.",
                right=True,
            ),
            Option(
                "The rows come back in sorted order", "Then they would differ, in other places."
            ),
        ],
    ),
    Guess(
        key="clinic.green",
        notebook=11,
        text="“padcheck is green, so the model reads its sequences properly.” True?",
        why="padcheck asks whether padding or company changes an answer. A model that makes the "
        "same mistake alone and in a batch passes.",
        options=[
            Option("True", "It asks about padding, and there are other mistakes."),
            Option(
                "False: it may make the same mistake alone", "Then nothing differs.", right=True
            ),
        ],
    ),
    Guess(
        key="clinic.attention",
        notebook=11,
        text="A transformer layer gets a mask that is `True` at real steps, and gets worse. What "
        "is wrong here?",
        why="`nn.MultiheadAttention` ignores where its mask is `True`: real steps see pads alone.",
        options=[
            Option(
                "Its mask has the opposite meaning",
                "True means ignore there.",
                right=True,
            ),
            Option(
                "The queries at the pads must be masked, too",
                "Their outputs are dropped later; masking them only makes empty rows.",
            ),
            Option("The mask must hold floats", "Booleans are what it expects."),
        ],
    ),
    Guess(
        key="clinic.batch_size",
        notebook=11,
        text="The same weights and the same data, evaluated with batch sizes 1, 2 and 4: the "
        "validation loss comes out differently each time. What is wrong here?",
        why="Batches have different numbers of real steps, and the mean of their means counts "
        "them alike.",
        options=[
            Option("Rounding", "Rounding moves the seventh digit."),
            Option(
                "The losses of the batches are averaged",
                "The mean of means is not the mean.",
                right=True,
            ),
            Option("The model is in training mode", "This model does the same in both modes."),
        ],
    ),
]
