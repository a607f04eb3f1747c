# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Which explanations see the network at all?
#
# An explanation that stays the same when the network forgets what it learned explains something
# else: the image, or the architecture. Which explanations do? The sanity checks of
# {cite:t}`adebayo2018` replace learned weights by initial ones. We add a second check: does the
# explanation change when the method is asked about another class?

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
from tinyvgg.chapters.sanity import IMAGES, SAME, blind, label
from tinyvgg.chapters.statistics import mean_interval, trial_records
from tinyvgg.training.experiments import open_study

CHANGES = {"head": "initial dense layers", "class": "another class", "image": "another image"}
study = open_study(profile, faces, seed, networks=networks)
record = trial_records(profile, study.faces.fingerprint).get("sanity", {"networks": []})
rows = [row for row in record["networks"] if "head" in row]
blindness = blind(record) if rows else {}
scores = {change: pd.DataFrame([row[change] for row in rows]) for change in CHANGES if rows}
methods = list(scores["head"].mean().sort_values(ascending=False).index) if rows else []
SAID = {"head": "the dense layers", "class": "the class"}
unseen = {name: " and ".join(SAID[x] for x in to) or "neither" for name, to in blindness.items()}


def listed(names):
    """List methods in a sentence."""
    *first, last = map(label, names)
    return " and ".join(filter(None, [", ".join(first), last]))


# %%
lines = ["Not recorded here for several networks: `tinyvgg trial sanity` makes the record."]
if len(rows) > 1:
    kinds = (" and ".join(SAID.values()), *SAID.values(), "neither")
    found = [[name for name in methods if unseen[name] == kind] for kind in kinds]
    lines = [
        f"**What came out.** For {len(found[0]) or 'none'} of {len(methods)} methods the explanation hardly"
        " depends on what the dense layers learned, nor on the class that is asked about.",
        "",
    ]
    for kind, names in zip(kinds, found, strict=True):
        lines += [f"- *Blind to {kind}*: {listed(names)}."] if names else []
    cells = {"cutoff": "the cells of the published cutoff", "contrastive": "the contrastive cells"}
    head = scores["head"].mean().round(2)
    told = [
        f"{said} overlap with the original ones by {head[rule]}, and yet their tracked features"
        f" correlate by {head[f'tracked_{rule}']}"
        for rule, said in cells.items()
        if head[f"tracked_{rule}"] > head[rule]
    ]
    said = "Tracking hides that cells change. Once the dense layers have initial weights, "
    lines += ["", f"{said}{'; '.join(told)}."] if told else []
Markdown("> " + "\n> ".join(lines))

# %% [markdown]
# ## The checks
#
# Each method explains errors of each network, for the class that it gave. Then layers get initial
# weights, one after the other, and the methods explain the same class of the same images again.
#
# - *Cells* are elements of the last feature maps (the paper's pixels) that a rule selects:
#   *Algorithm 1* as printed, or with the *published cutoff*. *Contributions* are all cells with a
#   positive exact share in the class's logit, *contrastive* those with one in its margin over the
#   next class. *All contributions* are the shares of all cells.
# - *Features* are those tracked from cells. The *whole projection*, the deconvolution of all cells,
#   uses neither dense layers nor a class: it is blind by construction, and here for comparison.
#
# How alike are two explanations? Sets of cells are compared by their overlap (Jaccard), exact
# shares by their correlation over the cells, and all others by the rank correlation of their
# strength over the pixels. An empty explanation counts as similarity zero.[^settings]
#
# [^settings]: Integrated gradients take five steps, occlusion covers a sixteenth of the image at a
#     time, Grad-CAM is of the last maps, and LRP has the gamma rule in convolutions and the epsilon
#     rule in dense layers.

# %%
tasks = pd.Series([paper.TASK_NAMES.get(row["task"], row["task"]) for row in rows]).value_counts()
Markdown(
    "**The rule.** Explanations stay the same if the 95 % interval of their mean similarity over"
    f" networks lies above {SAME:g}. A method is *blind to the dense layers* if its explanations"
    " stay the same once all of these have initial weights. It is *blind to the class* if they stay"
    " the same when it is asked about another class, drawn at random. The networks:"
    f" {' and '.join(f'{n} for {task}' for task, n in tasks.items()) or 'none'}; of each, at most"
    f" {IMAGES} errors are explained, spread evenly over all. With a single network there is no interval, and no method counts as blind."
)


# %% mystnb={"figure": {"name": "fig-cascades", "caption": "How similar explanations are to those of the trained network once layers have initial weights: from the last layer to the first (solid) and from the first to the last (dotted), means over networks with 95 % intervals. On the solid curves the steps left of the upright line are dense layers. Above the dashed line explanations count as the same. Red methods are blind to the dense layers. The methods are in the order of their similarity once all dense layers have initial weights."}, "image": {"alt": "A panel for each method, with a solid and a dotted curve that begin at one changed layer and end with all, a dashed line near the top, and an upright line after the dense layers."}}
@style.styled()
def cascades_figure(rows):
    figure, axes = style.grid(3, 5, aspect=1, sharex=True, sharey=True)
    for axis, name in zip(axes.flat, methods, strict=True):
        colour = style.RED if "head" in blindness[name] else style.BLUE
        for way, line in (("top", "-"), ("bottom", ":")):
            curves = np.array([row[way][name].split() for row in rows], float)
            low, high = np.transpose([mean_interval(values) for values in curves.T])
            steps = 1 + np.arange(curves.shape[1])
            axis.plot(steps, curves.mean(0), line, color=colour)
            axis.fill_between(steps, low, high, color=colour, alpha=0.15, lw=0)
        axis.axhline(SAME, color=style.GRAY, lw=0.6, ls="--")
        axis.axvline(rows[0]["dense"] + 0.5, color=style.GRAY, lw=0.6)
        axis.set_title(label(name).replace(" (", "\n("), fontsize=7)
    figure.supxlabel("layers with initial weights", fontsize=9)
    figure.supylabel("similarity", fontsize=9)
    return figure


cascades_figure(rows) if rows else None

# %% [markdown]
# Where convolutions have initial weights, maps can be so weak that no product passes the published
# cutoff. It then finds no cell, and the curve is at zero.
#
# The table gives the same once all dense layers have initial weights, and for another class. Read
# it against the column *another image*, which tells how alike the explanations of two images are.
# For sets of cells chance is high: two random halves of the active cells overlap by a third. Other
# chapters take fewer cells by contribution, or ask about the true class: their overlaps differ.


# %%
def shown(values):
    """Print a mean over networks with its interval."""
    low, high = mean_interval(values.to_numpy())
    return f"{values.mean():.2f}" + (f" ({low:.2f} to {high:.2f})" if low == low else "")


learned = [row["shuffled"] for row in record["networks"] if "shuffled" in row]
scores |= {"shuffled labels": pd.DataFrame(learned)} if learned else {}
table = {
    label(name): {CHANGES.get(change, change): shown(each[name]) for change, each in scores.items()}
    | {"blind to": unseen[name]}
    for name in methods
}
pd.DataFrame.from_dict(table, orient="index").rename_axis("method") if rows else None

# %%
if learned:
    ended = " and ".join(row["ended"] for row in record["networks"] if "shuffled" in row)
    same = [name for name in methods if scores["shuffled labels"][name].mean() > SAME]
    stays = f"These explain the same: {listed(same)}." if same else "No method explains the same."
    said = (
        "*Shuffled labels* compares with a network that learned the same images with labels drawn"
    )
    display(Markdown(f"{said} at random. Its training ended {ended}. {stays}"))

# %% [markdown]
# ## What may be concluded, and what may not
#
# - What a blind method shows may be true of the image. It is no reason for this answer, since any
#   other answer has the same explanation.
# - A method that passes need not be right: the checks only ask whether an explanation depends on the
#   network. {doc}`15_causes` asks whether methods point to a known cause. A blind one may do so.
# - Rank correlations and overlaps are different scales, but the rule holds them to the same bound.
