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
# else: the image, or the architecture. The sanity checks of {cite:t}`adebayo2018` replace learned
# weights by initial ones. We add a second check: does another class have another explanation?

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


def those(*wanted):
    """List the methods that are blind to just what is wanted."""
    return ", ".join(label(name) for name in methods if blindness[name] == list(wanted)) or "none"


# %%
answer = "Not recorded here: `tinyvgg trial sanity` does it."
if rows:
    cells, features = (
        scores["head"][name].mean() for name in ("contrastive", "tracked_contrastive")
    )
    answer = f"""**What came out.** {sum(row["images"] for row in rows)} errors of {len(rows)} networks were explained.

- Blind to the dense layers and to the class: {those("head", "class")}.
- Blind to the class alone: {those("class")}; to the dense layers alone: {those("head")}.
- Blind to neither: {those()}.

Tracking hides what changes. Without the learned dense layers, the cells of the exact share in the
margin have a similarity of {cells:.2f} to those before, and their features one of {features:.2f}."""
Markdown("> " + answer.replace("\n", "\n> "))

# %% [markdown]
# ## The checks
#
# Each network explains errors by each method, for the class that it gave. Then layers get initial
# weights, one after the other, and the methods explain the same class of the same images again. The
# two explanations are compared by what they consist of: sets of cells by their overlap (Jaccard),
# exact shares by their correlation over the cells, and all others by the rank correlation, over the
# pixels of the image, of their size, a mean over the colours. Where one of the two is empty the
# similarity is 0. Integrated gradients take five steps, occlusion covers a sixteenth of the image
# at a time, Grad-CAM is of the last maps, and LRP has the gamma rule in convolutions and the
# epsilon rule in dense layers.

# %%
Markdown(
    f"**The rule.** An explanation stays the same if the mean similarity over networks lies above"
    f" {SAME:g} with its 95 % interval. A method is *blind to the head* if its explanations stay the"
    f" same once all dense layers have initial weights, and *blind to the class* if they do when it"
    f" is asked about another class, drawn at random."
)


# %% mystnb={"figure": {"name": "fig-cascades", "caption": "How alike explanations are to those of the trained network once layers have initial weights: from the last layer to the first (solid) and from the first to the last (dotted), means over networks with 95 % intervals. Left of the upright line only dense layers have lost their weights on the solid curve. Dashed: above it explanations count as the same. Red methods are blind to the head; the first is the blindest."}, "image": {"alt": "A panel for each method. Solid curves of the red ones stay near one until the dense layers are used up, then fall; those of gradients start at about a half; those of exact shares are at zero."}}
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
# The same in numbers, where all dense layers have initial weights, where another class is asked
# about, and where the true class of the error is. *Another image* compares the explanations of
# different images, to show how alike unrelated ones are. Two random halves of the active cells
# overlap by a third.


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
#   other answer has the same.
# - To pass the checks is not to explain. They ask whether an explanation depends on the network,
#   not whether it is right.
# - Rank correlations and overlaps are different scales; the rule holds them to the same bound. The
#   table has the numbers for whoever would draw another.
# - A body with initial weights has such weak maps that no product passes the cutoff's floor: it
#   finds nothing there, which counts as no similarity.
