"""The quiz and the guesses on more than one device."""

from course_utils.lessons.entries import Guess, Option, Question, Quiz

QUIZZES = [
    Quiz(
        key="devices",
        notebook=8,
        title="More than one device",
        questions=[
            Question(
                "Two devices pad their shares to 90 and to 10 steps. What must be done so that "
                "their gradients can be averaged?",
                [
                    Option(
                        "Pad both shares to 90 steps",
                        "Only gradients of parameters are exchanged, and their shapes do not "
                        "depend on T. You would compute padding for nothing.",
                    ),
                    Option("Nothing", "Parameter gradients have no time axis.", right=True),
                    Option(
                        "Cut both to 10 steps",
                        "That loses data, and the shapes of the gradients are equal anyway.",
                    ),
                ],
                notebook=8,
            ),
            Question(
                "Device 0 has 30 real steps, device 1 has 10. Each calls backward() on the mean "
                "over its own real steps, and the gradients are averaged. How much does a step on "
                "device 1 weigh, compared with one on device 0?",
                [
                    Option("As much", "1/20 against 1/60: look at the divisors."),
                    Option("Three times as much", "1/(2 * 10) against 1/(2 * 30).", right=True),
                    Option("A third", "The smaller share has the larger weight a step."),
                ],
                notebook=8,
            ),
            Question(
                "Your code divides the sum of a device's errors by the real steps of all four "
                "devices, and DistributedDataParallel averages. What is the gradient?",
                [
                    Option("Right", "The average divides by four once more."),
                    Option(
                        "Four times too small",
                        "Multiply the loss by the number of devices.",
                        right=True,
                    ),
                    Option("Four times too large", "An average is smaller than a sum, not larger."),
                ],
                notebook=8,
            ),
            Question(
                "A device has no sequence in this step. What should it do?",
                [
                    Option(
                        "Skip the step",
                        "Then the others wait for its gradients until their time is up.",
                    ),
                    Option(
                        "Use a loss of torch.zeros(())",
                        "Backward reaches no parameter from there: there is nothing to average.",
                    ),
                    Option(
                        "Run the model on a made-up step and multiply the result by 0",
                        "All parameters get gradients of zero, and the count is 0.",
                        right=True,
                    ),
                ],
                notebook=8,
            ),
            Question(
                "nn.DataParallel fails when it gathers the replicas' outputs, because their time "
                "axes differ. What helps?",
                [
                    Option(
                        "total_length=inputs.shape[1] when you unpack, inside forward",
                        "Every replica then returns as many steps as it was given.",
                        right=True,
                    ),
                    Option(
                        "Passing a PackedSequence to the model",
                        "It would be cut along time, not along the batch.",
                    ),
                    Option(
                        "Passing the lengths as a Python list",
                        "A list goes to every replica as it is; only tensors are cut.",
                    ),
                ],
                notebook=8,
            ),
            Question(
                "How many nodes must be named in a script that torchrun starts on 8 machines?",
                [
                    Option(
                        "All 8, with their ports",
                        "The launcher gets one meeting point; the script gets its rank.",
                    ),
                    Option(
                        "None",
                        "torchrun tells every process its rank and the number of processes.",
                        right=True,
                    ),
                    Option("The first one", "That stands in torchrun's arguments, not in yours."),
                ],
                notebook=8,
            ),
        ],
    )
]

GUESSES = [
    Guess(
        key="devices.same_length",
        notebook=8,
        text="“All devices must pad to the same length, or the gradients do not fit together.” "
        "True?",
        why="Averaged are the gradients of parameters. A weight of shape (16, 10) has a gradient "
        "of shape (16, 10), however long the sequences were.",
        options=[
            Option("True", "Which tensor that is exchanged has a time axis?"),
            Option("False", "Parameter gradients know no T.", right=True),
            Option(
                "True on GPUs only",
                "Kernels do not care either: each device computes with its own shapes.",
            ),
        ],
    ),
    Guess(
        key="devices.average",
        notebook=8,
        text="“Training on two devices gives the gradient of the big batch: the average of the "
        "two devices' gradients.” Each loss is a masked mean over the device's own real steps. "
        "When is that right?",
        why="It is the mean of means again. It is the mean only if all devices have equally many "
        "real steps.",
        options=[
            Option("Always", "One device may have ten times the real steps of another."),
            Option(
                "When both devices have equally many sequences",
                "The masked mean divides by real steps, not by rows.",
            ),
            Option(
                "When both devices have equally many real steps",
                "Then both means have the same divisor.",
                right=True,
            ),
        ],
    ),
    Guess(
        key="devices.empty",
        notebook=8,
        text="Device 1 has an empty share. Its mean is 0/0. What happens to the weights of "
        "device 0, whose share is fine?",
        why="The average of a number and NaN is NaN, and every device gets the average.",
        options=[
            Option("Nothing: it uses its own gradients", "All devices use the average."),
            Option(
                "They follow device 0's gradients at half size",
                "That would need a 0 from device 1, and 0/0 is not 0.",
            ),
            Option("They become NaN", "NaN spreads to all devices in one step.", right=True),
        ],
    ),
    Guess(
        key="devices.rounds",
        notebook=8,
        text="Device 0 has three batches, device 1 has one, and in each round they average. What "
        "happens in round 2?",
        why="Device 0 waits for somebody who never comes. How long is a setting: often 10 or 30 "
        "minutes.",
        options=[
            Option("Device 0 goes on alone", "It has promised to average with all devices."),
            Option("An error at once", "Device 1 may just be slow: nobody can know."),
            Option("Device 0 waits until its time is up", "It hangs.", right=True),
        ],
    ),
]
