# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What did not work
#
# A few cells (elements of the last feature maps) undo most errors. That suggests three uses. Can a
# network correct itself without knowing the true class? Do the cells betray an error? Are there
# cells that the network does better without?

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
from itertools import product

import numpy as np
import pandas as pd
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.negative import COUNTS, STEPS
from tinyvgg.chapters.statistics import mean_interval, trial_records
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
record = trial_records(profile, study.faces.fingerprint).get("negative", {"networks": []})
tasks = {row["task"]: pd.DataFrame(record["networks"]) for row in record["networks"]}
tasks = {paper.TASK_NAMES[task]: rows[rows["task"] == task] for task, rows in tasks.items()}


def over(rows, name):
    """Return the numbers of a column, a row a network."""
    return np.array([text.split() for text in rows[name]], float)


def stated(values, form="{:.2f}"):
    """Print the mean over networks, with Student's 95 % interval where there are several."""
    low, high = (form.format(bound).removesuffix("%") for bound in mean_interval(values))
    return form.format(values.mean()) + (f" ({low} to {high})" if len(values) > 1 else "")


def outcomes(rows):
    """Return what came of the three ideas in one task; errors are as shares of those before."""
    errors, images = (rows[name].to_numpy(float) for name in ("errors", "images"))
    repaired, harmed, auc = (over(rows, name) for name in ("repaired", "harmed", "auc"))
    after = 1 - repaired.T + (images / errors - 1) * harmed.T
    best, doubtful = after.mean(1).argmin(), over(rows, "doubtful").T / errors
    found = {
        "cells suppressed, for the fewest errors": COUNTS[best],
        "errors repaired": stated(repaired[:, best], "{:.0%}"),
        "right answers harmed": stated(harmed[:, best], "{:.1%}"),
        "errors, before = 1": stated(after[best]),
        "errors whose runner-up is right": stated(over(rows, "second")[:, 0], "{:.0%}"),
        "least sure answers: right": stated(doubtful[1], "{:.0%}"),
        "least sure answers: runner-up right": stated(doubtful[0], "{:.0%}"),
        "AUC of the fewest cells": stated(auc[:, 0], "{:.3f}"),
        "AUC of the margin": stated(auc[:, 1], "{:.3f}"),
        "AUC, difference": stated(auc[:, 0] - auc[:, 1], "{:+.3f}"),
    }
    for name, half in product(STEPS, ("chosen", "other")):
        left = over(rows, f"{name}_{half}")[:, -1] / errors
        found[f"errors without {name}, {half} half"] = stated(left)
    return found


def each(what):
    return " and ".join(f"{found[what]} for {task}" for task, found in table.items())


table = {task: outcomes(rows) for task, rows in tasks.items()}
how = f"Not recorded here: `tinyvgg trial negative --profile {profile} --faces {study.source}`."
Markdown(
    "> **What came out.**\n>\n"
    "> 1. *A network that corrects itself.* Suppressing in every image what speaks most for the"
    f" answer against the runner-up multiplies errors by {each('errors, before = 1')}.\n"
    "> 2. *Cells that betray errors.* Errors can be detected by how few cells flip an answer, or by"
    f" its margin. The AUC of the cells minus that of the margin is {each('AUC, difference')}.\n"
    f"> 3. *Cells to do without.* The {STEPS['cells']} cells that harm one half of the subjects"
    " most are suppressed in all images. In that half this multiplies errors by"
    f" {each('errors without cells, chosen half')}, in the other half by"
    f" {each('errors without cells, other half')}."
    if tasks
    else how
)

# %%
pd.DataFrame(table).rename_axis("means (95 % intervals over networks)") if tasks else None

# %% [markdown]
# ## A network that corrects itself
#
# *Hoped.* The cells with the largest shares in $z_k - z_j$, with $k$ the answer and $j$ the
# runner-up, can be found without the true class. Without them errors may be right.
#
# *What it takes.* Right answers may change as well, and there are many more of them. We may treat
# only the least sure answers, as many as there are errors. That helps only if the runner-up is
# right in more of them than the answer is. Otherwise the repair swaps the two classes, and no more.


# %% mystnb={"figure": {"name": "fig-contrast", "caption": "Share of errors that become right, and of right answers that become wrong, by the number of cells suppressed in every image, those that speak most for its answer against the runner-up first: means over networks with 95 % intervals."}, "image": {"alt": "One panel a task. The curve of repaired errors rises and falls a little; that of harmed right answers rises from near zero to the top and crosses it."}}
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

# %% [markdown]
# ## Cells that betray errors
#
# *Hoped.* An error changes when a few cells are suppressed; a right answer stands.
#
# *What it takes.* The smallest number of cells that turns an answer into its runner-up
# (`tinyvgg.repairs`) has to detect errors better than the margin does, the largest logit minus the
# next, which takes no search. The AUC is the chance that an error has a lower value than a right
# answer. Otherwise cells are for explaining an error, not for finding one.
#
# ## Cells to do without
#
# *Hoped.* Some cells, or whole maps, mislead in image after image. We suppress them for good, step
# by step, each time the one without which the cross-entropy of one half of the subjects is lowest.
#
# *What it takes.* The other half of the subjects has to gain as well. Otherwise what misleads in
# one image serves in others: cells harm an image, not a network.


# %% mystnb={"figure": {"name": "fig-pruned", "caption": "Errors, as a multiple of those before, once cells or whole maps are suppressed in all images, by their number, in the half of the subjects by which they were chosen and in the other half: means over networks with 95 % intervals."}, "image": {"alt": "One panel a task. For cells, the curve of the half where they were chosen falls and that of the other half rises; both curves for maps end higher."}}
def pruned(rows):
    for (name, half), dashes in zip(product(STEPS, ("chosen", "other")), "--::", strict=True):
        counts, colour = over(rows, f"{name}_{half}"), (style.GREEN, style.RED)[half == "other"]
        yield f"{name}, {half} half", counts / counts[:, :1], colour, dashes


x = range(1 + max(STEPS.values()))
lines(pruned, x, "errors, before = 1", xticks=x[::4]) if tasks else None

# %% [markdown]
# These are failures of simple methods, on networks that make few errors. Another choice of cells,
# or training that takes it into account, may do better.
