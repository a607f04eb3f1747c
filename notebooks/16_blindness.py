# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Why backtracking is blind to the class
#
# Algorithm 1 returns the same cells whichever class it starts from. Why? It is the arithmetic of
# wide layers, and no accident of our networks. Each selected neuron above a cell is a coin toss:
# heads if the weight between them is positive. The cell is lost only if all are tails. Where does
# this hold, and where does it end? (Cells are elements of the last feature maps; the paper calls
# them pixels.)

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.backtracking import Literal, Strongest, backtrack
from tinyvgg.chapters import paper_size, style
from tinyvgg.chapters.backtracking import jaccard
from tinyvgg.chapters.blindness import KEPT, compare, random_head
from tinyvgg.chapters.statistics import mean_interval, trial_records
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, networks=networks)
rows = trial_records(profile, study.faces.fingerprint).get("blindness", {}).get("networks", [])
sized = paper_size.record().get("blindness", []) if rows else []
lists = [name for name in (rows or [{}])[0] if " " in str(rows[0][name])]
every = {name: np.array([row[name].split() for row in [*rows, *sized]], float) for name in lists}
ours = {name: values[: len(rows)] for name, values in every.items()}
large = {name: values[len(rows) :] for name, values in every.items()}


def said(values):
    """Print the mean over networks with its interval."""
    low, high = (f"{bound:.3f}" for bound in mean_interval(values))
    return f"{values.mean():.3f}" + (f" ({low} to {high})" if low != high else "")


# %%
answer = "Trained networks are not recorded here: `tinyvgg trial blindness` records them."
if rows:
    same = [sum(row["images"] * row[f"same_{of}"] for row in rows) for of in ("neurons", "cutoff")]
    cells, above, q = ours["active"][:, -1].mean(), ours["neurons"][:, -1], ours["wrong"][:, -1]
    images, needed = sum(row["images"] for row in rows), np.log2(cells) / -np.log2(q.mean())
    neurons, cutoff = (f"all {images:,}" if n == images else f"{n:.0f} of {images:,}" for n in same)
    tasks = " and ".join(dict.fromkeys(paper.TASK_NAMES[row["task"]] for row in rows))
    answer = f"""**What came out.** In {neurons} errors of {len(rows)} networks (for {tasks}),
Algorithm 1 selects the same neurons above the cells, whatever the class. Its cells for two classes
overlap by {said(ours["pixels"][:, -1])}. The published cutoff finds the same cells in {cutoff}.

The share of weights on cells that have the wrong sign is *q* = {said(q)}. With {needed:.0f} selected
neurons, about one of {cells:.0f} active cells would be lost. The networks select {above.min():.0f}
to {above.max():.0f}. If only the strongest neuron of each layer is kept, the overlap is
{said(ours["pixels"][:, 0])}; the argument expects {said(ours["expected"][:, 0])}."""
if sized:
    least, strongest = large["pixels"].min(0)[[-1, 0]]
    answer += f""" At the paper's size ({len(sized)} networks) the overlap is at least {least:.3f} for all
neurons, and at least {strongest:.3f} for the strongest of each layer."""
Markdown("> " + answer.replace("\n", "\n> "))

# %% [markdown]
# ## The argument
#
# A cell $r$ with $a_0[r] > 0$ is kept as soon as $W_1[r, i] > 0$ for one selected neuron $i$. It is
# lost only if all $m$ selected neurons have a weight of the wrong sign on it (negative, or zero).
# Let signs be wrong independently, with probability $q$. Then of $A$ active cells
#
# $$
# \begin{gathered} P(\text{lost}) = q^m, \qquad
# E(\text{cells lost}) = A\,q^m < 1 \iff m \log_2 \tfrac1q > \log_2 A, \\
# E(J) \approx \frac{1 - q^{m} - q^{m'} + q^{u}}{1 - q^{u}},
# \end{gathered}
# $$
#
# where $J$ is the overlap (Jaccard) of the cells for two classes. They select $m$ and $m'$ neurons,
# and $u$ neurons are selected for at least one of them. A cell is in both sets if neither class
# loses it, and in no set if all $u$ signs are wrong. $J$ is lowest, $(1 - q^m) / (1 + q^m)$, if the
# two classes share no neuron. Each layer above works alike, with $a_{j-1}$ for the cells and $W_j$
# for $W_1$. We count neurons as $m \log_2 1/q$ tosses of a fair coin.
#
# Does it hold? We count in trained networks, and in untrained dense layers on random maps.

# %%
LARGE = 32 * 28 * 28  # cells of images of 224 pixels
widths, shares = [2**n for n in range(2, 11)], (1, 0.5, 0.2, 0.1, 0.05, 0.02)
kinds = {
    "one hidden layer": [{"hidden": (width,)} for width in widths],
    "three hidden layers": [{"hidden": (width,) * 3} for width in widths],
    "sparse weights": [{"hidden": (256,), "density": share} for share in shares],
    "none negative": [{"hidden": (64,), "density": share, "positive": True} for share in shares],
    f"{LARGE:,} cells": [{"hidden": (width,), "cells": LARGE} for width in widths[:6]],
    "strongest kept": [{"hidden": (1024, 512, 256), "most": most} for most in KEPT],
}
found = []
for kind, head in ((kind, head) for kind, heads in kinds.items() for head in heads):
    rule = Strongest(head.pop("most")) if "most" in head else Literal()
    trace = random_head(**head)
    other = (trace.predicted + 1 + torch.arange(len(trace)) % 7) % 8
    head = {"kind": kind, "density": 1, **head}
    found.append(head | compare(trace, trace.predicted, other, rule))
untrained = pd.DataFrame(found).set_index("kind")
signs = np.log2(untrained["wrong"].where(untrained["wrong"] > 0))
untrained["tosses"] = -untrained["neurons"] * signs.fillna(-np.inf)


# %% mystnb={"figure": {"name": "fig-coins", "caption": "Overlap (Jaccard) of the cells that Algorithm 1 finds for two classes. Left: against the number of neurons selected above the cells, in tosses of a fair coin. Gray marks are untrained dense layers, with few to many neurons or weights (none negative: all weights are zero or positive; strongest kept: only the strongest neurons of each layer stay). Each line is one of our networks, with 1, 2, 4, ... 32 and all of the selected neurons of each layer kept. Shaded: what the argument expects, from no common neuron (lower edge) to common neurons only (upper edge). Dotted: with so many tosses, our networks lose one active cell on average. Right: the same overlap against the overlap that the argument expects from the selected neurons."}, "image": {"alt": "Left: marks and lines that rise to the right from little overlap to one, with an arrow to Algorithm 1 at the far right. Right: the same marks along the diagonal."}}
@style.styled()
def coins_figure(untrained):
    figure, (axes,) = style.grid(1, 2, aspect=0.85, width_ratios=(1.8, 1), sharey=True)
    left, right, tosses = *axes, np.geomspace(0.02, 1500, 200)
    left.fill_between(tosses, np.tanh(tosses * np.log(2) / 2), 1, color=style.GRAY, alpha=0.2, lw=0)
    gray = {"color": style.GRAY, "mfc": "none", "ms": 4, "mew": 0.8}
    for mark, (kind, part) in zip("os^v+D", untrained.groupby("kind", sort=False), strict=True):
        left.plot(part["tosses"], part["pixels"], mark, label=kind, **gray)
        right.plot(part["expected"], part["pixels"], mark, **gray)
    for place, row in enumerate([*rows, *sized]):
        overlap, colour = every["pixels"][place], style.TASK_COLOURS[row["task"]]
        size, line = ("", "o-") if place < len(rows) else (", paper's size", "s--")
        named = f"our networks, {paper.TASK_NAMES[row['task']]}{size}"
        along = every["neurons"][place] * -np.log2(every["wrong"][place])
        label = named if row.get("seed", 0) == 0 else None
        left.plot(along, overlap, line, ms=3, lw=0.6, color=colour, label=label)
        right.plot(every["expected"][place], overlap, line[0], ms=3, color=colour)
    right.plot([0, 1], [0, 1], color=style.GRAY, lw=0.6)
    left.set(xscale="log", xlim=(0.02, 1500), xlabel="selected neurons, in tosses of a fair coin")
    left.set_ylabel("overlap of the cells of two classes")
    right.set_xlabel("expected overlap")
    left.legend(fontsize=7, loc="lower right", frameon=False)
    if rows:
        left.axvline(np.log2(cells), color=style.GRAY, ls=":", lw=1)
        arrow = {"arrowprops": {"arrowstyle": "->", "color": style.GRAY}, "fontsize": 8}
        left.annotate("Algorithm 1", (above.mean(), 1), (above.mean(), 0.8), ha="center", **arrow)
    return figure


coins_figure(untrained)

# %% [markdown]
# ## Where the class is lost
#
# Two classes select different neurons of the last hidden layer, $a_3$. If there are more of them
# than blindness takes, every active neuron of the layer below is selected, and from there on nothing
# differs. The published cutoff sees the maps, $W_1$ and the neurons selected above, and gets the
# same for each class. The table gives the mean overlap of a random class with the predicted one,
# from the last hidden layer down to the cells, with 95 % intervals over networks:

# %%
kept = (*KEPT, "all") if rows else ()
table = {
    most: {name: said(ours[name][:, place]) for name in ("a_3", "a_2", "a_1", "pixels")}
    for place, most in enumerate(kept)
}
table = pd.DataFrame(table).T.rename(columns={"pixels": "cells"})
table.rename_axis("neurons kept in each layer") if rows else None

# %%
most = next((k for place, k in enumerate(kept) if ours["pixels"][:, place].mean() > 0.99), None)
Markdown(f"With {most} neurons per layer the cells hardly depend on the class.") if most else None

# %% [markdown]
# ## Where backtracking does see the class
#
# It does where few neurons are selected: in narrow layers, as long as classes select different
# neurons in them, and by a rule that keeps the strongest neurons only. It also does if weights are
# sparse, so that most of them are zero and count as wrong. If all weights are positive, no cell is
# ever lost; where the figure has less overlap for *none negative*, most weights are zero.
#
# ## What may be concluded, and what may not
#
# - In layers as wide as these, with about as many positive weights as negative ones, blindness
#   follows from signs alone, whatever the training, the images or the seed. A rule that weighs
#   products against each other is not blind, such as the exact share of a cell in a logit
#   ({doc}`04_backtracking`).
# - The signs of trained weights are not quite independent: overlaps lie a little above those that
#   the argument expects.
# - An overlap below one says that the result depends on the class, not that it explains the answer.
#
# ## Exercise
#
# If not on the class, what does Algorithm 1 depend on? Compare the cells of two random images.

# %% tags=["hide-cell"]
trace = random_head((256,))
cells, other = (backtrack(trace, target).pixels for target in (0, 1))
of_images, of_classes = (jaccard(cells, those).mean() for those in (cells.roll(1, 0), other))
Markdown(
    f"On the image. In untrained wide layers the cells of two random images overlap by"
    f" {of_images:.2f}, those of two classes by {of_classes:.2f}."
)
