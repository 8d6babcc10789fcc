"""The quiz and the guesses on backpropagation through a fixed graph."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="backprop",
        notebook=1,
        title="Fixed-graph backprop",
        questions=[
            Question(
                "An operation computes `p = w * h`. The gradient that arrives at `p` is 3, `w` is "
                "2 and `h` is 5. What does the operation send to `w`?",
                [
                    Option("3", "That would be an addition. A product multiplies by the other."),
                    Option("6", "That is 3 times w, and goes to h."),
                    Option("15", "The gradient 3 times the other factor, h = 5.", right=True),
                    Option("10", "That is the value of p, from the forward sweep."),
                ],
                notebook=1,
            ),
            Question(
                "A batch `x` has shape `(32, 10)`, and `weight` has shape `(20, 10)`. The loss is "
                "a mean over the batch. What is the shape of the gradient for `weight`?",
                [
                    Option(
                        "(32, 20, 10)",
                        "All examples use the same weight, so what they send is added.",
                    ),
                    Option("(20, 10)", "A gradient has the shape of its tensor.", right=True),
                    Option("(10, 20)", "That is the transposed weight."),
                    Option("(32, 20)", "That is the shape of the layer's output."),
                ],
                notebook=1,
            ),
            Question(
                "A value is used in two places. From the first it gets the gradient 2, from the "
                "second -0.5. What is its gradient?",
                [
                    Option("1.5", "Both uses act on the loss, so their effects add.", right=True),
                    Option("0.75", "Nothing is averaged: each use has its own full effect."),
                    Option("-0.5", "The later message does not replace the first one."),
                    Option("-1", "Factors along one way are multiplied; different ways are added."),
                ],
                notebook=1,
            ),
            Question(
                "You check a gradient by finite differences in float32. With a step of 1e-8 the "
                "result is 0. Why?",
                [
                    Option(
                        "The gradient is 0 there",
                        "It may be, but you cannot tell: any x of ordinary size gives 0 here.",
                    ),
                    Option(
                        "x + 1e-8 and x are the same number in float32",
                        "float32 keeps about seven digits. Use float64, and a step near 1e-6.",
                        right=True,
                    ),
                    Option(
                        "One-sided differences are not exact enough",
                        "Two-sided ones fail alike: both moved points are equal to x.",
                    ),
                ],
                notebook=1,
            ),
            Question(
                "`loss.backward()` runs. You call it a second time on the same loss, and PyTorch "
                "complains. What has happened?",
                [
                    Option(
                        "The gradients were already there",
                        "That is no error: a new gradient is added to what is in `.grad`.",
                    ),
                    Option(
                        "The weights have changed",
                        "Nothing changes a weight before `optimizer.step()`.",
                    ),
                    Option(
                        "The saved values were freed by the first call",
                        "backward needs the values of the forward sweep, and frees them as it "
                        "goes. Run the forward sweep again.",
                        right=True,
                    ),
                ],
                notebook=1,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="backprop.used_twice",
        notebook=1,
        text="A weight is used in two layers. The first use sends it one gradient, the second use "
        "another. What does autograd put into `w.grad`?",
        why="If you move the weight, both layers move. The change of the loss is the sum of both "
        "effects.",
        options=[
            Option("The one that arrives last", "It would forget that the other layer moves, too."),
            Option("Their mean", "Both layers move by the full amount, not by half of it."),
            Option("Their sum", "Each use adds its own effect.", right=True),
        ],
    ),
    Guess(
        key="backprop.epsilon",
        notebook=1,
        text="You measure a gradient with finite differences. Is a smaller step always better?",
        why="A small step is close to the true slope, but it is a difference of two nearly equal "
        "numbers, of which few digits are left. The best step lies in between.",
        options=[
            Option(
                "Yes: the derivative is the limit of small steps",
                "In exact numbers it is. A computer rounds, and rounding is divided by the step.",
            ),
            Option("No: at some point it gets worse", "Rounding takes over.", right=True),
            Option("The step does not matter", "It matters by many orders of magnitude."),
        ],
    ),
    Guess(
        key="backprop.backward_twice",
        notebook=1,
        text="You run a forward sweep, call `backward()`, run the forward sweep again and call "
        "`backward()` again, without `zero_grad()` in between. What is in `w.grad`?",
        why="`backward` adds to `.grad`. It is the same rule as for a value that is used twice, "
        "and the reason for `zero_grad()`.",
        options=[
            Option("The gradient", "Nobody has emptied `.grad` in between."),
            Option("Twice the gradient", "The second one is added to the first.", right=True),
            Option("An error", "The second forward sweep makes a new graph, so backward may run."),
        ],
    ),
]
