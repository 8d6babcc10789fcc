"""The quiz and the guesses on attention, other layers, other layouts, and packed rows."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="beyond",
        notebook=10,
        title="Beyond RNNs",
        questions=[
            Question(
                "`mask` is True at real steps. How do you pass it to PyTorch's attention?",
                [
                    Option(
                        "`key_padding_mask=mask` and `attn_mask=mask[:, None, :]`",
                        "`nn.MultiheadAttention` would ignore every real step: there, True means "
                        "ignore.",
                    ),
                    Option(
                        "`key_padding_mask=~mask` and, for `scaled_dot_product_attention`, "
                        "`attn_mask=mask[:, None, :]`",
                        "The module ignores where it is True, the function attends where it is "
                        "True.",
                        right=True,
                    ),
                    Option(
                        "`key_padding_mask=~mask` and `attn_mask=~mask[:, None, :]`",
                        "The function attends where it is True, so it would see pads alone.",
                    ),
                ],
                notebook=10,
            ),
            Question(
                "A model with batch norm over time passes padcheck in eval mode. Is it right?",
                [
                    Option(
                        "Yes, padcheck says so",
                        "In eval mode the statistics are constants. Nobody asked where they came "
                        "from.",
                    ),
                    Option(
                        "Not necessarily: ask in train mode, where it takes its statistics",
                        "Pads in those means spoil the training and the running statistics.",
                        right=True,
                    ),
                    Option(
                        "No: batch norm always fails in eval mode",
                        "In eval mode it works on each number by itself.",
                    ),
                ],
                notebook=10,
            ),
            Question(
                "Two convolutions of width 3 follow each other, with biases. You set the padded "
                "inputs to zero before the first one. Is that enough?",
                [
                    Option(
                        "Yes, the pads are zero now",
                        "They were zero before the first one. It writes other numbers there.",
                    ),
                    Option(
                        "No: set the pads to zero before the second one, too",
                        "The first one's results at pads hold its bias and a part of the last "
                        "real steps.",
                        right=True,
                    ),
                    Option(
                        "No: use a wider kernel",
                        "A wider window reaches even further into the padding.",
                    ),
                ],
                notebook=10,
            ),
            Question(
                "Three documents share a row of a language model. What keeps them apart?",
                [
                    Option(
                        "A causal mask",
                        "It hides later steps. Earlier documents are still seen.",
                    ),
                    Option(
                        "An end token between them",
                        "Nothing stops attention at a token. A model might learn to, or not.",
                    ),
                    Option(
                        "A block-diagonal causal mask, restarted positions, and -100 at each "
                        "document's last step",
                        "Then logits, loss and gradients are those of documents run alone.",
                        right=True,
                    ),
                ],
                notebook=10,
            ),
            Question(
                "The padding token is the end token. How do you hide the pads from the loss?",
                [
                    Option(
                        "`labels[labels == pad] = -100`",
                        "That hides every real end, too, and the model never learns to stop.",
                    ),
                    Option(
                        "Set -100 by lengths or documents",
                        "Only lengths tell a real end token from a pad.",
                        right=True,
                    ),
                    Option(
                        "Not at all: predicting the end token again does no harm",
                        "Then most of what the model learns is to repeat the end token, and the "
                        "loss depends on the amount of padding.",
                    ),
                ],
                notebook=10,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="beyond.masked_loss",
        notebook=10,
        text="The loss takes real steps only. Is a key mask in the attention still needed?",
        why="Attention carries the pads into the real steps. The loss reads those, so no mask "
        "on the loss can undo it.",
        options=[
            Option("No: what happens at pads does not count", "It reaches the real steps."),
            Option("Yes: results at real steps are wrong already", "They are.", right=True),
            Option(
                "Only to save time", "The same scores are computed either way; the weights differ."
            ),
        ],
    ),
    Guess(
        key="beyond.empty_row",
        notebook=10,
        text="One row of a batch is all padding, so its attention is 0/0. The loss does not read "
        "that row. Are the weights' gradients clean?",
        why="Backward, the empty row gets a gradient of zero, and zero times NaN is NaN. All rows "
        "share the weights. Whether it happens depends on the path that the module takes.",
        options=[
            Option("Yes: that row is not in the loss", "Zero times NaN is NaN, as in notebook 4."),
            Option("It depends on `need_weights`", "The two values take two paths.", right=True),
            Option("No, never", "One of the paths gives an empty row zeros."),
        ],
    ),
    Guess(
        key="beyond.three_masks",
        notebook=10,
        text="Rows are padded on the right, and the decoder has a causal mask. Which key mask "
        "changes nothing at the real steps if you leave it out?",
        why="The causal mask hides later steps, and with right padding the target's pads are "
        "later than all its real steps.",
        options=[
            Option("The source's, in the encoder", "Real source steps would read pads."),
            Option("The memory's", "The decoder would read the encoder's results at pads."),
            Option("The target's", "The causal mask already hides its pads.", right=True),
        ],
    ),
    Guess(
        key="beyond.norms",
        notebook=10,
        text="You add seven more pads to every row. Which norms then give other results at the "
        "real steps, in training mode?",
        why="A layer norm takes its mean over the features of one step. The others take it over "
        "time as well, and pads are part of that.",
        options=[
            Option("Batch norm alone", "Group and instance norm take means over time, too."),
            Option("All but layer norm", "It alone stays within one step.", right=True),
            Option("All of them", "A layer norm never sees another step."),
        ],
    ),
    Guess(
        key="beyond.batch_norm",
        notebook=10,
        text="A convolution, a group norm and a batch norm run over the padded batch, pads "
        "included. padcheck asks each in eval mode and in train mode. Which check passes?",
        why="In eval mode batch norm subtracts and divides by constants. In train mode these come "
        "from the batch, pads included.",
        options=[
            Option("None", "In eval mode one of them no longer looks at other steps."),
            Option("Batch norm in eval mode", "Its statistics are constants there.", right=True),
            Option("All in eval mode", "Eval mode changes nothing in the other two."),
        ],
    ),
    Guess(
        key="beyond.causal_row",
        notebook=10,
        text="Three documents stand in one row, and the mask is causal. Does the second document "
        "get the logits that it gets alone?",
        why="A causal mask hides what comes later. The first document comes earlier, so the "
        "second one reads it. And its positions do not start at 0 unless you say so.",
        options=[
            Option("Yes: it cannot see the third one", "But it sees the first one."),
            Option("No: it sees the first one", "Earlier steps are visible.", right=True),
            Option(
                "Yes, because of the end token between them", "Attention does not stop at a token."
            ),
        ],
    ),
    Guess(
        key="beyond.end_token",
        notebook=10,
        text="Token 0 ends every text, and rows are padded with 0, too. All labels equal to 0 "
        "become -100. What does the trained model say after the last word?",
        why="No label is ever the end token, so the softmax learns that the end token never comes.",
        options=[
            Option("The end token, as always", "It has never been a label."),
            Option("Anything but the end token", "It never learned to stop.", right=True),
            Option("The end token half of the time", "It is never right in training."),
        ],
    ),
]
