"""The quiz and the guesses of the capstone."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="capstone",
        notebook=9,
        title="A pipeline you can trust",
        questions=[
            Question(
                "You normalise each channel. Over which frames do you measure mean and deviation?",
                [
                    Option(
                        "Over all cells of the padded training batches",
                        "Zeros of the padding would pull the mean towards 0, the more the more "
                        "padding there is.",
                    ),
                    Option(
                        "Over the real frames of the training set",
                        "Before padding exists, and without a look at validation or test data.",
                        right=True,
                    ),
                    Option(
                        "Over the real frames of training and test set together",
                        "Then the test set has had a say in the model, and its figure no longer "
                        "tells how new data would do.",
                    ),
                ],
                notebook=9,
            ),
            Question(
                "You try six readers. Which data choose the best one?",
                [
                    Option(
                        "The test set: it gives the figure that counts",
                        "The best of six on the test set is partly the luckiest of six.",
                    ),
                    Option(
                        "The training set: it is the largest",
                        "A model may know its training data by heart.",
                    ),
                    Option(
                        "A validation set split off from the training set",
                        "The test set is then used once, for the reader that was chosen.",
                        right=True,
                    ),
                ],
                notebook=9,
            ),
            Question(
                "Reader A gets 96.2 % and reader B 95.4 % of 370 test utterances. The standard "
                "error is about one point. What do you say?",
                [
                    Option(
                        "This test does not tell them apart",
                        "The difference is smaller than two standard errors.",
                        right=True,
                    ),
                    Option(
                        "A is better: it is 0.8 points ahead",
                        "Another 370 utterances might well turn that round.",
                    ),
                    Option(
                        "B is as good as A: the difference is zero",
                        "No difference was shown. That is not the same as no difference.",
                    ),
                ],
                notebook=9,
            ),
            Question(
                "A model has a good accuracy in padded batches. What else do you ask before you "
                "serve it one utterance at a time?",
                [
                    Option(
                        "Nothing: accuracy on the test set is what counts",
                        "It was measured in padded batches, and you will not serve padded batches.",
                    ),
                    Option(
                        "Whether the same utterance gives the same answer alone and in a batch",
                        "padcheck asks that, for values and for gradients.",
                        right=True,
                    ),
                    Option(
                        "Whether its loss was small on the last training batch",
                        "That says nothing about padding, nor about new data.",
                    ),
                ],
                notebook=9,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="capstone.zeroed",
        notebook=9,
        text="A reader takes `output[:, -1]` of a padded batch. You set all padded inputs to zero. "
        "Does it now give the same answer alone and in the batch?",
        why="Zero inputs are not neutral: the state moves on at every pad, and `output[:, -1]` is "
        "read after them.",
        options=[
            Option(
                "Yes: zeros carry no information",
                "The number of zero steps does: the state moves at each of them.",
            ),
            Option(
                "No: the state still moves on over the pads",
                "Read the last real step instead, or do not run over the pads at all.",
                right=True,
            ),
            Option(
                "Only for short sequences",
                "Short sequences have the most pads, so they are hit hardest.",
            ),
        ],
    ),
    Guess(
        key="capstone.normalise",
        notebook=9,
        text="You measure a channel's mean over the padded batch, zeros included. How does it "
        "compare with the mean over real frames?",
        why="The sum is the same, and it is divided by more cells.",
        options=[
            Option("It is the same: zeros add nothing to the sum", "They do add to the count."),
            Option("It is nearer to zero", "The same sum is divided by more cells.", right=True),
            Option("It is larger", "The sum stays as it is, and the number of cells grows."),
        ],
    ),
]
