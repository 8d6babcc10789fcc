"""The quiz and the guesses on masked losses."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="loss",
        notebook=6,
        title="Masked losses",
        questions=[
            Question(
                "A program computes `(error * mask).mean()`. What happens to its gradient when "
                "the same sequences are padded to twice the length?",
                [
                    Option(
                        "Nothing: pads are multiplied by zero",
                        "They are gone from the sum, and still counted in the divisor.",
                    ),
                    Option(
                        "It halves",
                        "The sum stays, and mean() divides by twice as many positions.",
                        right=True,
                    ),
                    Option("It doubles", "More positions make the divisor larger, not smaller."),
                ],
                notebook=6,
            ),
            Question(
                "`error` has shape `(B, T, F)`, `mask` has shape `(B, T)`. What is wrong with "
                "`error[mask].sum() / mask.sum()`?",
                [
                    Option(
                        "It is F times too large",
                        "The sum runs over all features, and the divisor counts steps.",
                        right=True,
                    ),
                    Option("Nothing", "How many numbers were added up? The mask counts steps."),
                    Option(
                        "It fails, because the shapes differ",
                        "Indexing (B, T, F) with (B, T) gives (real steps, F), without an error.",
                    ),
                ],
                notebook=6,
            ),
            Question(
                "Targets at pads are NaN. Which line gives a right loss and also a right gradient?",
                [
                    Option(
                        "((p - t).square() * mask).sum() / mask.sum()",
                        "0 * NaN is NaN: already the value is lost.",
                    ),
                    Option(
                        "(p - t).square()[mask].mean()",
                        "The value is right. On the way back 0 * NaN reaches the prediction.",
                    ),
                    Option(
                        "(p[mask] - t[mask]).square().mean()",
                        "NaN is gone before anything is computed with it.",
                        right=True,
                    ),
                ],
                notebook=6,
            ),
            Question(
                "Two sequences of 2 and 18 steps. In which mean does a step of the short one "
                "weigh as much as a step of the long one?",
                [
                    Option("Per token", "Each of the 20 real steps weighs 1/20.", right=True),
                    Option(
                        "Per sequence",
                        "Each sequence weighs 1/2, so a step weighs 1/4 or 1/36.",
                    ),
                    Option(
                        "Per step",
                        "In the first two time steps they share; later the long one is alone and "
                        "weighs twice as much.",
                    ),
                ],
                notebook=6,
            ),
            Question(
                "You accumulate gradients over four micro-batches with different numbers of real "
                "steps. How do you get the gradient of the mean over all of them?",
                [
                    Option(
                        "Divide each micro-batch's mean by four",
                        "Then a micro-batch with few real steps counts as much as one with many.",
                    ),
                    Option(
                        "Divide each micro-batch's sum by the real steps of all four",
                        "Then every real step weighs the same, wherever it stands.",
                        right=True,
                    ),
                    Option(
                        "Add the means and choose a smaller learning rate",
                        "One factor cannot repair four different weights.",
                    ),
                ],
                notebook=6,
            ),
            Question(
                "Batch 1 has 2 real steps and a mean loss of 1, batch 2 has 18 and a mean loss of "
                "3. What is the mean loss of the epoch?",
                [
                    Option("2.0", "That is the mean of the means: 2 steps count as much as 18."),
                    Option("2.8", "(2 * 1 + 18 * 3) / 20.", right=True),
                    Option("4.0", "That is the sum of the means."),
                ],
                notebook=6,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="loss.more_padding",
        notebook=6,
        text="The loss is `(error * mask).mean()`, and the batch gets twice as many columns, all "
        "of them pads. How large is the gradient then?",
        why="The sum is the same, and `mean()` divides by all cells. Twice the cells, half the "
        "gradient.",
        unit="per cent of the old one",
    ),
    Guess(
        key="loss.only_rescales",
        notebook=6,
        text="“Dividing by B x T instead of the real steps only rescales the loss, and Adam does "
        "not care about scale.” True?",
        why="Adam forgives one constant factor. Here the factor is the share of real cells, which "
        "is another one in every batch: batches get random weights.",
        options=[
            Option(
                "True: Adam divides by the gradient's own size",
                "By its size over many batches. A factor that changes from batch to batch stays.",
            ),
            Option("True for any optimizer", "For plain SGD even a constant factor is a new step."),
            Option(
                "False: the factor differs from batch to batch",
                "Batches with much padding count less.",
                right=True,
            ),
        ],
    ),
    Guess(
        key="loss.zero_times_nan",
        notebook=6,
        text="“Multiplying by the mask stops NaN.” The target is NaN at one pad, and the loss is "
        "`((p - t).square() * mask).sum() / mask.sum()`. What comes out?",
        why="`0 * NaN` is NaN, in the forward pass and in the backward pass.",
        options=[
            Option("The loss without the pad", "That needs 0 * NaN = 0, and it is NaN."),
            Option(
                "A right loss, and NaN in the gradient", "NaN is in the sum already on the way up."
            ),
            Option("NaN, in loss and gradient", "One NaN in a sum is enough.", right=True),
        ],
    ),
    Guess(
        key="loss.all_ignored",
        notebook=6,
        text="`F.cross_entropy` with its default `reduction='mean'`, and every target is -100, "
        "the number that it ignores. What do you get?",
        why="The mean of nothing is 0/0 = NaN. No target has a gradient, so the weights survive; "
        "your log, your averages and your NaN alarm do not.",
        options=[
            Option("0, and a gradient of 0", "The mean of no number is not 0."),
            Option("NaN, and a gradient of NaN", "The gradient is written target by target: 0."),
            Option("NaN, and a gradient of 0", "Both at once.", right=True),
            Option("An error", "Nothing is said."),
        ],
    ),
    Guess(
        key="loss.accumulation",
        notebook=6,
        text="“Accumulating gradients over micro-batches gives the gradient of the big batch.” "
        "Each micro-batch's loss is its masked mean, divided by the number of micro-batches. When "
        "is that true?",
        why="The mean of means is the mean only if all have the same number of real steps.",
        options=[
            Option("Always", "It was true for images, where all examples have the same size."),
            Option(
                "When all micro-batches have equally many sequences",
                "Rows are not what the mean divides by.",
            ),
            Option(
                "When all micro-batches have equally many real steps",
                "Then all means have the same divisor.",
                right=True,
            ),
        ],
    ),
]
