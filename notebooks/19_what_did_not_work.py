# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # What did not work
#
# A few cells (elements of the last feature maps) undo most errors, once the true class is known.
# Are they of use before it is known? Can a network correct itself? Do the cells betray an error?
# Are there cells that the network does better without?

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.negative import COUNTS, STEPS
from tinyvgg.chapters.statistics import mean_interval, trial_records
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
record = trial_records(profile, study.faces.fingerprint).get("negative", {"networks": []})
tasks = {row["task"]: pd.DataFrame(record["networks"]) for row in record["networks"]}
tasks = {paper.TASK_NAMES.get(t, t): rows[rows["task"] == t] for t, rows in tasks.items()}
HALF = {f"{STEPS[x]} {x}, {y} half": f"{x}_{y}" for x in STEPS for y in ("chosen", "other")}
CHOSEN, OTHER, *_ = HALF
AFTER, AUC = "change in the number of errors", "AUC: difference"
SURE = "least sure answers: right", "least sure answers: runner-up right"


def over(rows, name):
    """Return the numbers of a column, one row per network."""
    return np.array([text.split() for text in rows[name]], float)


def outcomes(rows):
    """Return what came of the ideas in one task, by network; changes are shares of the errors."""
    errors, images = (rows[name].to_numpy(float) for name in ("errors", "images"))
    repaired, harmed, auc = (over(rows, name) for name in ("repaired", "harmed", "auc"))
    after = 1 - repaired.T + (images / errors - 1) * harmed.T
    best, (second, first) = after.mean(1).argmin(), over(rows, "doubtful").T / errors
    found = {"cells": np.array([COUNTS[best]]), AFTER: after[best] - 1}
    found |= {"errors repaired": repaired[:, best], "right answers harmed": harmed[:, best]}
    found |= {SURE[0]: first, SURE[1]: second, "lead": first - second}
    found |= {"AUC: margin": auc[:, 1], "AUC: fewest cells": auc[:, 0], AUC: auc[:, 1] - auc[:, 0]}
    return found | {name: over(rows, of)[:, -1] / errors - 1 for name, of in HALF.items()}


def each(say, *names):
    """Say the means of some outcomes for each task; changes are so many errors more or fewer."""
    means = {task: [found[name].mean() for name in names] for task, found in came.items()}
    said = {t: (*map(abs, mean), "more" if mean[0] > 0 else "fewer") for t, mean in means.items()}
    return " and ".join(f"{say.format(*each)} for {task}" for task, each in said.items())


def verdict(name, fails, works):
    """Say how an idea did, which fails where the mean of an outcome is above zero."""
    failed = [found[name].mean() > 0 for found in came.values()]
    return fails if all(failed) else "It depends on the task" if any(failed) else works


def result(form, said, *names):
    """Show means over networks, with Student's 95 % intervals, and what came out."""

    def stated(values):
        low, high = (form.format(bound).removesuffix("%") for bound in mean_interval(values))
        return form.format(values.mean()) + (f" ({low} to {high})" if len(values) > 1 else "")

    rows = {name: {task: stated(found[name]) for task, found in came.items()} for name in names}
    display(pd.DataFrame.from_dict(rows, orient="index").rename_axis("mean (95 % interval)"))
    display(Markdown(f"*What came out.* {said}"))


came, change = {task: outcomes(rows) for task, rows in tasks.items()}, "{:.0%} {} errors"
itself = verdict(AFTER, "More errors arise than are undone", "No more errors arise than are undone")
margin = verdict(AUC, "The margin detects errors better", "The cells detect errors no worse")
other = verdict(
    OTHER, "The other half does worse without them", "The other half does no worse then"
)
failed = all(found[name].mean() > 0 for found in came.values() for name in (AFTER, AUC, OTHER))
counted = " and ".join(f"{len(rows)} for {task}" for task, rows in tasks.items())
Markdown(
    f"> **What came out.** {'None of the three ideas works. ' * failed}Networks: {counted}.\n>\n"
    "> 1. *A network that corrects itself* sets to zero, in every image, the cells that"
    f" favour its answer most over the runner-up. {itself}: in all, there are {each(change, AFTER)}. That is"
    f" with the best number of cells ({each('{:.0f}', 'cells')}).\n"
    "> 2. *Cells that betray errors*: an answer is suspect if few cells flip it, or if its margin is"
    f" small. {margin} (AUC {each('{:.3f} against {:.3f}', 'AUC: margin', 'AUC: fewest cells')}).\n"
    f"> 3. *Cells to do without* are the {STEPS['cells']} that harm one half of the subjects most."
    f" {other}: once they are set to zero in all images, the half that chose them has"
    f" {each(change, CHOSEN)}, the other half {each(change, OTHER)}."
    if tasks
    else f"Not recorded here: `tinyvgg trial negative --profile {profile} --faces {study.source}`."
)

# %% [markdown]
# ## A network that corrects itself
#
# *Hoped.* The cells with the largest shares in $z_k - z_j$, with $k$ the answer and $j$ the
# runner-up, can be found without the true class. Without them errors may be right.
#
# *What it takes.* Right answers may change as well, and there are many more of them. Or swap
# only the least sure answers, as many as there are errors, with their runners-up. That helps if more
# runners-up are right than answers.


# %% mystnb={"figure": {"name": "fig-contrast", "caption": "Share of errors that become right, and of right answers that become wrong, by the number of cells set to zero in every image, those that speak most for its answer against the runner-up first: means over networks with 95 % intervals."}, "image": {"alt": "One panel per task with two curves over the number of cells, in blue for repaired errors and in red for harmed right answers."}}
@style.styled()
def lines(curves, x, label, **options):
    figure, axes = style.grid(1, len(tasks), aspect=0.65, sharey=True)
    for axis, (task, rows) in zip(axes[0], tasks.items(), strict=True):
        for name, values, colour, dashes in curves(rows):
            places = x[: values.shape[1]]
            low, high = np.transpose([mean_interval(column) for column in values.T])
            axis.plot(places, values.mean(0), dashes, color=colour, label=name)
            axis.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
        axis.set(title=task, xlabel="suppressed", **options)
        axis.minorticks_off()
    axes[0, 0].set_ylabel(label)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def contrasts(rows):
    yield "errors repaired", over(rows, "repaired"), style.BLUE, "-"
    yield "right answers harmed", over(rows, "harmed"), style.RED, "-"


lines(
    contrasts, COUNTS, "share", xscale="log", xticks=COUNTS, xticklabels=COUNTS
) if tasks else None

# %%
swap = "To swap the least sure answers with their runners-up does"
said = f"{itself}. {verdict('lead', f'{swap} more harm than good', f'{swap} no harm')}."
result("{:.0%}", said, "errors repaired", "right answers harmed", AFTER, *SURE) if tasks else None

# %% [markdown]
# ## Cells that betray errors
#
# *Hoped.* An error changes when a few cells are suppressed; a right answer stands.
#
# *What it takes.* The smallest number of cells that turns an answer into its runner-up
# (`tinyvgg.repairs`) has to detect errors better than the margin does, the largest logit minus the
# next, which takes no search. The AUC is the chance that an error has a lower value than a right
# answer.

# %%
result("{:.3f}", f"{margin}.", "AUC: margin", "AUC: fewest cells", AUC) if tasks else None

# %% [markdown]
# ## Cells to do without
#
# *Hoped.* Some cells, or whole maps, mislead in image after image. Step by step we suppress for
# good the one whose loss lowers the cross-entropy of one half of the subjects most (of the images,
# where subjects are not known).
#
# *What it takes.* The other half has to gain as well. Even the half that chose need not gain: each
# step takes one, and goes by the cross-entropy and not by the errors.


# %% mystnb={"figure": {"name": "fig-pruned", "caption": "Errors, as a multiple of those before, by the number of cells (solid) or whole maps (dotted) that are suppressed in all images. Green: in the half of the subjects by which they were chosen. Red: in the other half. Means over networks with 95 % intervals."}, "image": {"alt": "One panel per task with four curves that begin at one: for cells and for maps, in green for the half that chose them and in red for the other."}}
def pruned(rows):
    for name, dashes in zip(HALF.values(), "--::", strict=True):
        counts, colour = over(rows, name), (style.GREEN, style.RED)["other" in name]
        yield f"{name.replace('_', ', ')} half", counts / counts[:, :1], colour, dashes


x = range(1 + max(STEPS.values()))
lines(pruned, x, "errors, before = 1", xticks=x[::4]) if tasks else None

# %%
result("{:+.0%}", f"{other}. (The table gives the change in errors.)", *HALF) if tasks else None

# %% [markdown]
# ## What may be concluded, and what may not
#
# - That a few cells undo an error whose true class is known does not tell which cells to suppress
#   before it is known.
# - The number of cells of the first idea is the best on the very images that are counted. That
#   favours it.
# - These are simple methods, on networks that make few errors. Another choice of cells, or training
#   that takes it into account, may do better.
