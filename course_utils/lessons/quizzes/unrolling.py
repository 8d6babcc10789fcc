"""The quiz and the guesses on unrolling through time."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="unrolling",
        notebook=2,
        title="Unrolling through time",
        questions=[
            Question(
                "A recurrent network reads a sequence of 7 steps and one of 3. How many recurrent "
                "weight matrices does it have?",
                [
                    Option("10, one a step", "Each step uses the same one."),
                    Option("7, for the longest sequence", "The length is no part of the model."),
                    Option("1", "One matrix, used 7 times and 3 times.", right=True),
                ],
                notebook=2,
            ),
            Question(
                "You give each step its own copy of the weight and take the gradient of each copy. "
                "What do these gradients have to do with the gradient of the shared weight?",
                [
                    Option("Their sum is equal to it", "A value used L times.", right=True),
                    Option("Their mean is equal to it", "Gradients of several uses are added."),
                    Option(
                        "The last one is equal to it",
                        "It is only what the last step sends. The others send theirs as well.",
                    ),
                ],
                notebook=2,
            ),
            Question(
                "Your training loop carries the state from batch to batch, and the second "
                "`backward()` says “Trying to backward through the graph a second time”. What is "
                "the cure?",
                [
                    Option(
                        "`loss.backward(retain_graph=True)`",
                        "Then every backward walks through all earlier batches, and after a step "
                        "of the optimizer it fails with another error.",
                    ),
                    Option(
                        "`state = state.detach()` between the batches",
                        "The state keeps its value and drops its history.",
                        right=True,
                    ),
                    Option(
                        "`optimizer.zero_grad()` before each batch",
                        "That empties `.grad`. The old graph still hangs on the state.",
                    ),
                    Option(
                        "`with torch.no_grad():` around the model",
                        "Then nothing is recorded, and nothing can be learned.",
                    ),
                ],
                notebook=2,
            ),
            Question(
                "The gradient of a loss at step 100 has vanished at step 1. You clip gradients at "
                "norm 1. Does that help?",
                [
                    Option(
                        "Yes: all gradients get the norm 1",
                        "Clipping only shortens what is longer than 1.",
                    ),
                    Option(
                        "No: clipping shortens large gradients, and this one is small",
                        "It cures explosions. Nothing brings a vanished gradient back.",
                        right=True,
                    ),
                    Option(
                        "Yes, if the limit is small enough",
                        "A smaller limit shortens even more.",
                    ),
                ],
                notebook=2,
            ),
            Question(
                "Two sequences have 2 and 18 steps. For a mean over all real steps, by what do you "
                "divide the sum of each sequence's errors?",
                [
                    Option(
                        "By 2 and by 18, then take the mean of both",
                        "Then a step of the short sequence counts nine times as much.",
                    ),
                    Option("Both by 20", "Every step counts the same.", right=True),
                    Option("Both by 2, the number of sequences", "That is no mean over steps."),
                    Option("Both by 36", "That counts 16 steps of padding that nobody made."),
                ],
                notebook=2,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="unrolling.lstm",
        notebook=2,
        text="A plain recurrent network forgets: after 50 steps back its gradient is tiny. What "
        "about an LSTM as PyTorch makes it?",
        why="The forget gate of a fresh LSTM stands near one half, so each step halves what passes "
        "along the cell. Only a bias that opens the gate lets the gradient through.",
        options=[
            Option("It vanishes, too", "Its forget gate starts half closed.", right=True),
            Option(
                "It keeps its size: that is what the LSTM is for",
                "The cell can carry a gradient, but only as far as its forget gate is open.",
            ),
            Option("It explodes", "All gates are below 1, so nothing grows along the cell."),
        ],
    ),
    Guess(
        key="unrolling.retain",
        notebook=2,
        text="Your loop carries the state from batch to batch without `detach`. You add "
        "`retain_graph=True`, and the error is gone. What does the tenth `backward()` do?",
        why="The graph of each batch hangs on the one before, so every backward goes back to the "
        "first batch. Time and memory grow with every batch.",
        options=[
            Option("It goes back through the tenth batch", "Nothing tells it to stop there."),
            Option(
                "It goes back through all ten batches",
                "The state still has its whole history.",
                right=True,
            ),
            Option("Nothing: the graph is kept, not used", "It is kept because it is walked."),
        ],
    ),
    Guess(
        key="unrolling.two_ways",
        notebook=2,
        text="Two programs train on the same per-step losses. One adds them up and calls "
        "`backward()` once. The other calls `backward(retain_graph=True)` on each. Which gradient "
        "is right?",
        why="A derivative of a sum is the sum of the derivatives, and `.grad` adds them up.",
        options=[
            Option("One call on the sum", "It is right, and so is the other."),
            Option("A call for each loss", "It is right, and so is the other."),
            Option("Both: they are the same", "The sum rule, once more.", right=True),
        ],
    ),
]
