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
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.sanity import SAME, blind, label
from tinyvgg.chapters.statistics import mean_interval, trial_records
from tinyvgg.training.experiments import open_study

CHANGES = {"head": "initial head", "class": "another class", "true": "the true class"}
CHANGES |= {"image": "another image"}
study = open_study(profile, faces, seed, networks=networks)
record = trial_records(profile, study.faces.fingerprint).get("sanity", {"networks": []})
rows = [row for row in record["networks"] if "head" in row]
blindness = blind(record) if rows else {}
scores = {change: pd.DataFrame([row[change] for row in rows]) for change in CHANGES if rows}
methods = list(scores["head"].mean().sort_values(ascending=False).index) if rows else []


def those(said, *wanted):
    """List the methods that are blind to just what is wanted, where there are some."""
    found = [label(name) for name in methods if blindness[name] == list(wanted)]
    return [f"- {said}: {'; '.join(found)}."] if found else []


# %%
lines = ["Not recorded here: `tinyvgg trial sanity` makes the record."]
if rows:
    images, head = sum(row["images"] for row in rows), scores["head"].mean()
    lines = [
        f"**What came out.** {images} errors of {len(rows)} networks were explained.",
        "",
        *those("Blind to the dense layers and to the class", "head", "class"),
        *those("Blind to the class alone", "class"),
        *those("Blind to the dense layers alone", "head"),
        *those("Blind to neither"),
        "",
        "Does tracking hide what changes? Without the learned dense layers, the"
        f" contrastive cells have a similarity of {head['contrastive']:.2f} to those before, and"
        f" their tracked features have one of {head['tracked_contrastive']:.2f}.",
    ]
Markdown("> " + "\n> ".join(lines))

# %% [markdown]
# ## The checks
#
# Each method explains errors of each network, for the class that it gave. Then layers get initial
# weights, one after the other, and the methods explain the same class of the same images again.
# *Cells* are elements of the last feature maps (the paper's pixels) that a rule selects:
# *Algorithm 1* as printed, with the *published cutoff*, or as many by their exact share in the
# class's logit (*contributions*) or in its margin over the next class (*contrastive*). *Features*
# are those tracked from them; the *whole projection* is the deconvolution of all cells.
#
# How alike are two explanations? Sets of cells are compared by their overlap (Jaccard), exact
# shares by their correlation over the cells, and all others by the rank correlation of their
# strength over the pixels. An empty one has similarity zero. Integrated gradients take five steps,
# occlusion covers a sixteenth of the image at a time, Grad-CAM is of the last maps, and LRP has the
# gamma rule in convolutions and the epsilon rule in dense layers.

# %%
Markdown(
    "**The rule.** Explanations stay the same if the 95 % interval of their mean similarity over"
    f" networks lies above {SAME:g}. A method is *blind to the head* if its explanations stay the"
    " same once all dense layers (the head) have initial weights. It is *blind to the class* if"
    " they stay the same when it is asked about another class, drawn at random."
)


# %% mystnb={"figure": {"name": "fig-cascades", "caption": "How similar explanations are to those of the trained network once layers have initial weights: from the last layer to the first (solid) and from the first to the last (dotted), means over networks with 95 % intervals. Left of the upright line, only dense layers have initial weights on the solid curve. Above the dashed line explanations count as the same. Red methods are blind to the head. The methods are in the order of their similarity once all dense layers have initial weights."}, "image": {"alt": "A panel for each method. The solid curves of the red ones stay near one up to the upright line, then fall. Those of gradients start at about a half; that of all exact shares is at zero."}}
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
        axis.set_title(label(name).replace(": ", ":\n"), fontsize=7)
    figure.supxlabel("layers with initial weights", fontsize=9)
    figure.supylabel("similarity", fontsize=9)
    return figure


cascades_figure(rows) if rows else None

# %% [markdown]
# The same in numbers: once all dense layers have initial weights (*initial head*), and when the
# method is asked about another class, or about the true class of the error. *Another image*
# compares explanations of different images, to show how alike unrelated ones are. Two random halves
# of the active cells overlap by a third.


# %%
def shown(values):
    """Print a mean over networks with its interval."""
    low, high = mean_interval(values.to_numpy())
    return f"{values.mean():.2f}" + (f" ({low:.2f} to {high:.2f})" if low == low else "")


learned = [row["shuffled"] for row in record["networks"] if "shuffled" in row]
scores |= {"shuffled labels": pd.DataFrame(learned)} if learned else {}
table = {
    label(name): {CHANGES.get(change, change): shown(each[name]) for change, each in scores.items()}
    | {"blind to": " and ".join(blindness[name]) or paper.NOTHING}
    for name in methods
}
pd.DataFrame.from_dict(table, orient="index").rename_axis("method") if rows else None

# %% [markdown]
# ## What may be concluded, and what may not
#
# - What a blind method shows may be true of the image. It is no reason for this answer, since any
#   other answer has the same explanation.
# - A method that passes the checks need not be right. They ask whether an explanation depends on
#   the network, and no more.
# - Rank correlations and overlaps are different scales, but the rule holds them to the same bound.
#   The table has the numbers for whoever would draw another.
# - Convolutions with initial weights make such weak maps that no product passes the published
#   cutoff. It then finds no cell, which counts as similarity zero.
