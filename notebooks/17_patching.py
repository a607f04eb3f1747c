# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # How little separates an error from a right image?
#
# An error and its look-alike, the most similar right image of its true class, show much the same
# face and get different answers. Which cells of the last maps (the paper's pixels) make the
# difference? Other chapters set cells to zero. Single cells are zero in many images, but perhaps no
# image has zeros in all of them. Here cells take the values of the look-alike: they are *patched*
# {cite:p}`zhang2024`.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown

from tinyvgg.chapters import style
from tinyvgg.chapters.patching import EIGHT
from tinyvgg.chapters.statistics import mean_interval, trial_records
from tinyvgg.paper import NOTHING, TASK_NAMES
from tinyvgg.training.experiments import open_study

RULES = ("difference", "backtracking", "random")
study = open_study(profile, faces, seed, progress=False, networks=networks)
record = trial_records(profile, study.faces.fingerprint).get("patching", {"networks": []})
every = pd.DataFrame([row for row in record["networks"] if row["pairs"]])
tasks = dict(list(every.groupby("task", sort=False))) if len(every) else {}


def over(column, name):
    """Return numbers of a column, one row per network."""
    return np.array([each[name].split() for each in column], float)


def said(values, form=".0%"):
    """Print the number of each task."""
    each = (f"{value:{form}} ({TASK_NAMES[task]})" for task, value in values.items())
    return " and ".join(each).replace("nan%", NOTHING)


answer = f"Not recorded here: `tinyvgg trial patching --profile {profile} --faces {study.source}`."
if tasks:
    curves = {
        name: {task: over(rows["curves"], name).mean(0) for task, rows in tasks.items()}
        for name in every["curves"].iloc[0]
    }
    eight = pd.DataFrame(curves).map(lambda curve: curve[EIGHT.bit_length() - 1])
    zero = {t: np.mean([float(each.split()[1]) for each in tasks[t]["filled"]]) for t in tasks}
    control, size = eight[["third", "back"]].max(axis=1), every["cells"].iloc[0]
    half = 2 ** max((curve > 0.5).argmax() for curve in curves["gradient"].values())
    answer = f"""**What came out**, in {every["pairs"].sum():,} errors of {len(every)} networks:

- With both images and both classes known, patching {min(half, size)} of {size:,} cells repairs
more than half of the errors, and patching {EIGHT} repairs {said(eight["gradient"])}. Zeros in the same
cells repair {said(zero)}.
- Controls: {EIGHT} cells chosen in the same way give the answer of a third class to
{said(eight["third"])} of the errors, and the error's answer to {said(eight["back"])} of the look-alikes.
- Of {EIGHT} cells ranked without the classes, those that differ most repair {said(eight["difference"])},
those of backtracking {said(eight["backtracking"])}, and random ones {said(eight["random"])}."""
    if (eight["gradient"] > control).all():
        answer += f"""
- So patching moves errors to the right answer more often than it moves images to those of the
controls, by {said(100 * (eight["gradient"] - control), ".0f")} percentage points."""
    below = [f"{r} ({TASK_NAMES[t]})" for r in RULES for t in tasks if eight[r][t] < control[t]]
    answer += f" Rankings below the larger control: {', '.join(below)}." * bool(below)
Markdown("> " + answer.replace("\n", "\n> "))

# %% [markdown]
# Let $a$ be the last maps of an error, $b$ those of its look-alike, $k$ the given and $t$ the true
# class, and $z$ the logits. To patch cells $r$ is to put $b[r]$ in the place of $a[r]$ and let the
# dense layers answer again. Which cells come first?
#
# - *Gradient × difference*: the largest $(a[r] - b[r])\,\partial(z_k - z_t)/\partial a[r]$, the
#   effect of a patch to first order {cite:p}`kramar2024`. This ranking uses both images and both
#   classes; the others use the class only in that the look-alike was chosen by it.
# - *Difference*: the largest $|a[r] - b[r]|$.
# - *Backtracking*, published cutoff: cells unique to the error come first, then common ones, then
#   all others, each by activation.
# - *Random*: the cells in which the images differ, in random order.
#
# Two controls rank by gradient × difference. *From a third class*: the error is patched from a
# right image of neither class. *Backwards*: the look-alike is patched from its error. All cells are
# ranked once, before any is patched; {doc}`09_repairs` searches for the fewest cells instead.
# {doc}`07_subject_40` and {doc}`08_eight_emotions` patch the paper's common and unique cells.


# %% mystnb={"figure": {"name": "fig-patching", "caption": "Share of images that take on the answer of the image that they are patched from, by the number of patched cells, from one to all: means over networks with Student's 95 % intervals. Solid: errors patched from their look-alikes, whose answer is the right one. Dashed: the controls. Thin upright line: eight cells."}, "image": {"alt": "One panel for each task, with a solid curve that rises to the right for each of four rankings, and two dashed curves of the controls."}}
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
        axis.set(title=TASK_NAMES[task], xlabel="cells patched", xscale="log")
        axis.set_xticks(cells[::2], cells[::2])
        axis.minorticks_off()
    axes[0, 0].set_ylabel("share with the other's answer")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


curves_figure() if tasks else None

# %% [markdown]
# With all cells patched every error is right, because its maps are then the look-alike's. What
# counts is how few cells it takes. A curve of gradient × difference can fall on the way: it weighs
# the given class against the true one, and a third class may win in between.


# %% mystnb={"figure": {"name": "fig-patched", "caption": "For each task the repaired error that is closest to its look-alike: the error, its look-alike, and the tracked features of the few cells that repair it, in the error and in the look-alike (the stronger the darker, each on a scale of its own)."}, "image": {"alt": "One row for each task: two similar portraits and two white pictures with gray traces of a part of the face."}}
def portraits():
    shown, arrays = [], np.load(record["path"].with_suffix(".npz"))
    for task, rows in tasks.items():
        if f"{task}.images" not in arrays:
            continue
        given, true = (style.short(rows[name].iloc[0], 14) for name in ("given", "true"))
        titles = f"taken for {given}", f"right: {true}", "cells of the error", "of the look-alike"
        panels = zip(titles, [*arrays[f"{task}.images"], *arrays[f"{task}.inks"]], strict=True)
        shown.append((TASK_NAMES[task], list(panels)))
    return style.pictures(shown, cell=style.WIDTH / 5)


portraits() if tasks else None

# %% [markdown]
# ## What may be concluded, and what may not
#
# - A cell that helps only when patched still matters. Setting it to zero also removes what both
#   images share.
# - A few cells can separate an error from a right image, and yet say little about this error: as far
#   as the controls rise, a few cells also move answers that are right.
# - Cells that backtracking finds in one image only need not decide. Its fair comparison is
#   *difference*, which does not use the class either.
# - Patched maps are a mixture of two images; perhaps no image has such maps.
# - Gradient × difference uses the true class. It explains an error afterwards and cannot correct
#   one.
