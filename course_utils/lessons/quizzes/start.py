"""The placement quiz, and the guesses of the first notebook."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="start",
        notebook=0,
        title="Where should you start?",
        placement=True,
        questions=[
            Question(
                "A weight is used twice in a computation. What is its gradient?",
                [
                    Option(
                        "The gradient of the last use: the second overwrites the first",
                        "Both uses change the loss, so both count. Autograd adds them up.",
                    ),
                    Option(
                        "The sum of the gradients of both uses",
                        "Each use changes the loss by its own amount, and the amounts add up.",
                        right=True,
                    ),
                    Option(
                        "The mean of the gradients of both uses",
                        "Nothing divides by the number of uses: the two gradients are added.",
                    ),
                    Option("I do not know yet", "Notebook 01 shows it by hand on a small graph."),
                ],
                notebook=1,
            ),
            Question(
                "In a training loop you carry the hidden state of an RNN from one batch to the "
                "next, and `backward` says that it was called a second time. What is the cure?",
                [
                    Option(
                        "Detach the hidden state between the batches",
                        "Its value goes on, its history ends: backward stops at the border.",
                        right=True,
                    ),
                    Option(
                        "Call backward with retain_graph=True",
                        "Then every backward walks through all earlier batches too, and after an "
                        "optimizer step PyTorch complains about changed weights.",
                    ),
                    Option(
                        "Call zero_grad before backward",
                        "That clears the gradients. The state still hangs on the old graph.",
                    ),
                    Option("I do not know yet", "Notebook 02 unrolls an RNN and cuts its graph."),
                ],
                notebook=2,
            ),
            Question(
                "Three sequences of lengths 5, 3 and 7 are padded with zeros, right, and go "
                "through `nn.RNN` with biases. Which rows of `output[:, -1]` are a state after a "
                "last real step?",
                [
                    Option(
                        "All three: zeros do not change the state",
                        "The biases and the recurrence move the state at every pad.",
                    ),
                    Option(
                        "None of them",
                        "The row of length 7 has no pads: its last step is a real one.",
                    ),
                    Option(
                        "Only the row of length 7",
                        "It has no pads. The other two states have moved on over 2 and 4 pads.",
                        right=True,
                    ),
                    Option("I do not know yet", "Notebook 03 shows what padding breaks."),
                ],
                notebook=3,
            ),
            Question(
                "A vector of losses holds NaN where a step is a pad. You multiply it by a mask of "
                "ones and zeros, and add up. What is the sum?",
                [
                    Option(
                        "The sum over the real steps",
                        "Zero times NaN is NaN, so one pad is enough to lose the sum.",
                    ),
                    Option(
                        "NaN, because zero times NaN is NaN",
                        "Select the real steps first, and compute afterwards.",
                        right=True,
                    ),
                    Option(
                        "Zero",
                        "NaN is not a number that a zero could cancel: zero times NaN is NaN.",
                    ),
                    Option(
                        "I do not know yet",
                        "Notebooks 04 and 06 show what masks can and cannot do.",
                    ),
                ],
                notebook=4,
            ),
            Question(
                "Two small batches hold 10 and 90 real steps. You take the mean loss of each and "
                "average the two means. Is that the mean loss over the 100 steps?",
                [
                    Option(
                        "Yes: a mean of means is the mean",
                        "Only if both hold the same number of steps.",
                    ),
                    Option(
                        "Yes, after dividing by the padded length",
                        "The padded length has nothing to do with how many steps are real.",
                    ),
                    Option(
                        "No: each of the 10 steps then weighs nine times as much",
                        "1/2 shared by 10 steps is nine times as much a step as 1/2 shared by 90.",
                        right=True,
                    ),
                    Option("I do not know yet", "Notebook 06 is about what a loss divides by."),
                ],
                notebook=6,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="start.alone",
        notebook=0,
        text="The wrong reader names the speaker of almost every utterance of a padded batch. Now "
        "the same model gets the same utterances one at a time, without padding. What happens "
        "to its accuracy?",
        why="The wrong reader learned from states that had moved on over padding. Alone there is "
        "no padding, so it meets states that it was never trained on.",
        options=[
            Option(
                "It stays the same: the utterances are the same",
                "The utterances are, but what this reader looks at is not: its state after the "
                "padding is gone.",
            ),
            Option(
                "It rises: without padding the task is easier",
                "It would be easier for a reader that was trained without padding.",
            ),
            Option(
                "It falls: the model needs the padding that it was trained with",
                "It reads the state after the padding, and has learned from nothing else.",
                right=True,
            ),
        ],
    ),
]
