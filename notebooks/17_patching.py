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
# # How little separates an error from a right image?
#
# An error and its look-alike, the most similar right image of its true class, show much the same
# face and get different answers. Which cells of the last maps (the paper's pixels) make the
# difference? Other chapters set cells to zero, a state that perhaps no image brings about. Here
# cells take the values of the look-alike: they are *patched* {cite:p}`zhang2024`.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.patching import EIGHT
from tinyvgg.chapters.statistics import mean_interval, trial_records
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
record = trial_records(profile, study.faces.fingerprint).get("patching", {"networks": []})
tasks = {row["task"]: pd.DataFrame(record["networks"]) for row in record["networks"]}
tasks = {task: rows[rows["task"] == task] for task, rows in tasks.items()}


def over(column, name):
    """Return numbers of a column, a row a network."""
    return np.array([each[name].split() for each in column], float)


def share(values):
    """Print the mean over networks, with Student's 95 % interval where there are several."""
    low, high = (f"{100 * bound:.0f}" for bound in mean_interval(values))
    mean = f"{values.mean():.0%}".replace("nan%", paper.NOTHING)
    return mean + (f" ({low} to {high})" if len(values) > 1 else "")


def answer(task, rows):
    curves = {name: over(rows["curves"], name) for name in rows["curves"].iloc[0]}
    by = {name: share(values[:, EIGHT.bit_length() - 1]) for name, values in curves.items()}
    zero = share(np.array([text.split()[1] for text in rows["filled"]], float))
    return (
        f"> **{paper.TASK_NAMES[task].capitalize()}**, {rows['pairs'].sum():,} errors of"
        f" {len(rows)} networks. The look-alike's values in {EIGHT} of {rows['cells'].iloc[0]:,}"
        f" cells repair {by['gradient']} of the errors; zeros in the same cells repair {zero}."
        f" Patching {EIGHT} cells chosen by the difference alone repairs {by['difference']}, by"
        f" backtracking {by['backtracking']}, at random {by['random']}. Controls: as many cells of"
        f" a third class's right image give its answer to {by['third']} of the errors, and as many"
        f" cells of the error give its answer to {by['back']} of the look-alikes."
    )


how = f"Not recorded here: `tinyvgg trial patching --profile {profile} --faces {study.source}`."
told = ["> **What came out.**", *(answer(*each) for each in tasks.items())]
Markdown("\n>\n".join(told) if tasks else how)

# %% [markdown]
# Shares are means over networks with Student's 95 % intervals.
#
# Let $a$ be the last maps of an error, $b$ those of its look-alike, $k$ the given and $t$ the true
# class, and $z$ the logits. To patch cells $r$ is to put $b[r]$ in the place of $a[r]$ and let the
# dense layers answer again. Which cells come first?
#
# - *Gradient × difference*: the largest $(a[r] - b[r])\,\partial(z_k - z_t)/\partial a[r]$, the
#   effect of a patch to first order {cite:p}`kramar2024`. It knows both images and both classes.
# - *Difference*: the largest $|a[r] - b[r]|$. It knows both images.
# - *Backtracking*, published cutoff: unique cells come first, then common ones, then all others,
#   each by activation. It knows both images.
# - *Random*: the cells in which the images differ, in random order.
#
# Two controls rank by gradient × difference. *From a third class*: the error is patched from a
# right image of neither class. *Backwards*: the look-alike is patched from its error.
# {doc}`07_subject_40` and {doc}`08_eight_emotions` patch the paper's common and unique cells.


# %% mystnb={"figure": {"name": "fig-patching", "caption": "Share of images that get the answer of the image that they are patched from, by the number of patched cells, from one to all: means over networks with Student's 95 % intervals. Solid: errors patched from their look-alikes, whose answer is the right one. Dashed: the controls. Thin upright line: eight cells."}, "image": {"alt": "One panel a task. The curve of gradient × difference is far above the others and near the top after a few cells. That of the difference follows, then backtracking, and the random one rises last. The dashed controls start low and cross those of difference and backtracking."}}
@style.styled()
def curves_figure():
    names = ("gradient", "difference", "backtracking", "random", "third", "back")
    labels = ("gradient × difference", *names[1:4], "from a third class", "backwards")
    colours = (style.RED, style.BLUE, style.GREEN, style.GRAY, style.ORANGE, style.PURPLE)
    figure, axes = style.grid(1, len(tasks), aspect=0.85, sharey=True)
    for axis, (task, rows) in zip(axes[0], tasks.items(), strict=True):
        for name, label, colour in zip(names, labels, colours, strict=True):
            values, dashes = over(rows["curves"], name), "--" if name in names[4:] else "-"
            cells = np.minimum(2 ** np.arange(values.shape[1]), rows["cells"].iloc[0])
            low, high = np.transpose([mean_interval(column) for column in values.T])
            axis.plot(cells, values.mean(0), dashes, color=colour, label=label)
            axis.fill_between(cells, low, high, color=colour, alpha=0.2, linewidth=0)
        axis.axvline(EIGHT, color=style.GRAY, linewidth=0.6)
        axis.set(title=paper.TASK_NAMES[task], xlabel="cells patched", xscale="log")
        axis.set_xticks(cells[::2], cells[::2])
        axis.minorticks_off()
    axes[0, 0].set_ylabel("share with the other's answer")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


curves_figure() if tasks else None


# %% mystnb={"figure": {"name": "fig-patched", "caption": "For each task the repaired error that is closest to its look-alike: the error, its look-alike, and the tracked features of the few cells that repair it, in the error and in the look-alike (the stronger the darker, each on a scale of its own)."}, "image": {"alt": "A row a task: two similar portraits and two white pictures with gray traces of a part of the face."}}
def portraits():
    shown, arrays = [], np.load(record["path"].with_suffix(".npz"))
    for task, rows in tasks.items():
        if f"{task}.images" not in arrays:
            continue
        given, true = (style.short(rows[name].iloc[0], 14) for name in ("given", "true"))
        titles = f"taken for {given}", f"right: {true}", "cells of the error", "of the look-alike"
        panels = zip(titles, [*arrays[f"{task}.images"], *arrays[f"{task}.inks"]], strict=True)
        shown.append((paper.TASK_NAMES[task], list(panels)))
    return style.pictures(shown, cell=style.WIDTH / 5)


portraits() if tasks else None

# %% [markdown]
# ## What may be concluded, and what may not
#
# - Cells that repair little at zero and much when patched do matter: zero also destroys what both
#   images need.
# - Cells that backtracking finds in one image only need not be the decisive ones. Backtracking has
#   to be compared with the difference, which knows no class either.
# - The look-alike brings the label with it: once all cells are patched, every error is right. Only
#   how early a curve rises says anything. By the controls, a few cells move other images, too.
# - Patched maps are a mixture of two images; perhaps no image has such maps.
# - Gradient × difference knows the true class. It explains an error afterwards and cannot correct
#   one.
