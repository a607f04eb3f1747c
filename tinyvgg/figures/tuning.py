"""Error rates that the difficulty of the synthetic faces was tuned by."""

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from tinyvgg.figures import style
from tinyvgg.findings.tuning import ASKED, Measured, Tuning, papers_rate
from tinyvgg.metrics import proportion_interval


@style.styled()
def rates_figure(tuning: Tuning | None) -> style.Drawn:
    """Error rate of each network with its interval, in the range asked for, beside the paper's."""
    if tuning is None or not tuning.runs:
        return style.Missing("Error rates cannot be shown without that report.")
    tasks = [task for task in ASKED if any(run.task == task for run in tuning.runs)]
    longest = max(sum(run.task == task for run in tuning.runs) for task in tasks)
    height = 0.24 * longest + 1.1
    cell = style.WIDTH / len(tasks)
    figure, axes = style.grid(1, len(tasks), cell=cell, aspect=height / cell)
    for axis, task in zip(axes[0], tasks, strict=True):
        _rates(axis, task, [run for run in tuning.runs if run.task == task])
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def _rates(axis: Axes, task: str, runs: list[Measured]) -> None:
    colour = style.TASK_COLOURS[task]
    axis.axvspan(*ASKED[task], color="#e8e8e8", label="asked for")
    axis.axvline(papers_rate(task), color="black", linewidth=0.8, linestyle=":", label="paper")
    for place, run in enumerate(runs):
        low, high = proportion_interval(run.errors, run.test_images)
        axis.hlines(place, low, high, color=colour, linewidth=1.5)
        label = "one network, 95 % interval" if place == 0 else None
        axis.plot(run.errors / run.test_images, place, "o", color=colour, ms=4, label=label)
    names = [f"{run.profile}, {run.size} px, seed {run.seed}" for run in runs]
    axis.set_yticks(range(len(runs)), names, fontsize=8)
    axis.set(xlim=(0, None), ylim=(len(runs) - 0.5, -0.5), xlabel="error rate")
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.tick_params(axis="y", length=0)
    axis.set_title(style.TASK_NAMES[task])
