"""Training: its curves, and whether the network learned anything."""

from tinyvgg.analysis.parts import Part, between, percent, plain, shown
from tinyvgg.chapters.statistics import proportion_interval
from tinyvgg.chapters.training import gap, gap_table, loss_and_error, majority, train_errors
from tinyvgg.documents.content import Table, Text
from tinyvgg.paper import TASK_NAMES
from tinyvgg.training.runs import Run, described_profile


def describe_training(run: Run) -> Part:
    """Loss and error over the epochs, accuracy beside the constant answer, over-fitting."""
    recipe, wrong = run.experiment.recipe, train_errors(run)
    tested, low_high = len(run.labels), accuracy_interval(run)
    difference, interval = gap(run, wrong)
    blocks = [
        Text(
            f"Tiny VGG learned from {len(run.split.train):,} images for {recipe.epochs:,} epochs"
            f" ({described_profile(_configuration(run))}), and was tested on {tested:,} others."
        ),
        shown(
            loss_and_error(run),
            "Two panels with curves over the epochs: loss, and error rate on training and test"
            " images",
            "Loss and error rate over the epochs: on each batch just before the network learns from"
            " it (gray), and on the test images after each epoch, with 95 % intervals of the error"
            " rate. Dotted: what the same answer for every image would get.",
        ),
        Text(accuracy_sentence(run)),
        Table.of(
            gap_table([run], [wrong]),
            "Error rates of the final network on the images it learned from and on the others.",
        ),
    ]
    numbers = {
        "accuracy": run.accuracy,
        "accuracy_interval": list(low_high),
        "constant_answer": majority(run.labels),
        "learned": learned(run),
        "training_error": wrong / len(run.split.train),
        "test_error": 1 - run.accuracy,
        "gap": difference,
        "gap_interval": list(interval),
        "training_images": len(run.split.train),
        "test_images": tested,
        "history": plain(run.history),
    }
    said = [accuracy_sentence(run), _gap_sentence(difference, interval)]
    return Part("Training", blocks, numbers, said)


def accuracy_interval(run: Run) -> tuple[float, float]:
    """Wilson's 95 % interval of the accuracy."""
    low, high = proportion_interval(len(run.errors), len(run.labels))
    return 1 - high, 1 - low


def learned(run: Run) -> bool:
    """Whether the whole interval of the accuracy lies above the best constant answer."""
    return accuracy_interval(run)[0] > majority(run.labels)


def accuracy_sentence(run: Run) -> str:
    """How often the network is right, and whether that is more than a constant answer is."""
    name, constant = TASK_NAMES.get(run.task, run.task), majority(run.labels)
    said = (
        f"The network tells the {name} in {percent(run.accuracy)} of {len(run.labels):,} test"
        f" images ({between(accuracy_interval(run))}); the same answer for all of them would be"
        f" right in {percent(constant)} at best."
    )
    if learned(run):
        return f"{said} **It has learned something.**"
    return (
        f"{said} **That it has learned anything cannot be told**: what is found out about its"
        " errors below is about a network that may as well guess. Other settings may help, such as"
        " --set epochs=200 or --set optimiser=adam."
    )


def _gap_sentence(difference: float, interval: tuple[float, float]) -> str:
    low, high = (f"{100 * bound:+.1f}" for bound in interval)
    said = (
        f"Its error rate on test images is {abs(100 * difference):.1f} points"
        f" {'higher' if difference >= 0 else 'lower'} than on those it learned from (95 % interval"
        f" of the difference {low} to {high} points)"
    )
    if interval[0] > 0:
        return f"{said}: it has over-fitted."
    return f"{said}: over-fitting does not show."


def _configuration(run: Run) -> dict[str, object]:
    parts = {"train": len(run.split.train), "test": len(run.labels)}
    return {**run.experiment.configuration, "images": parts}
