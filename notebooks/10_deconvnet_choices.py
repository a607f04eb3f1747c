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
# # What the deconvnet's choices do
#
# A deconvnet ({doc}`05_deconvolution`) has choices that papers seldom spell out. Which of them
# make the picture? The *switches* say where a value goes when max-pooling is undone. The *ReLU*
# may be applied on the way back. The paper's published code adds the *biases*;
# {cite:t}`zeiler2014` do not. Of equal maxima of a window, *ties*, one gets the value or all do.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
from itertools import product

import pandas as pd
from IPython.display import Markdown

from tinyvgg.chapters import deconvolution as chapter
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import sample_rows
from tinyvgg.chapters.verdicts import endings, mean_with_interval
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.trace import outputs, record
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
run = study.run(study.tasks[0])
rows = sample_rows(run, 40, seed)
trace = record(run.model, run.tensor(rows))

default = style.strength(deconvolve(trace))
alone = {
    "without recorded switches": {"switches": "none"},
    "with random switches": {"switches": "random"},
    "without the ReLU": {"relu": False},
    "with biases": {"bias": True},
    "with the value on all tied maxima": {"ties": "all"},
}
inks = {name: style.strength(deconvolve(trace, **options)) for name, options in alone.items()}
alike = [(chapter.correlations(ink, default).nanmean(), name) for name, ink in inks.items()]
(kept, least), *others = sorted(alike)
faces_alike = chapter.correlations(default, default.roll(1, 0)).nanmean()
Markdown(
    "> **What came out.** The default is recorded switches, the ReLU, no biases, and the first of"
    f" tied maxima. A projection changes most {least}: its strength by pixel then"
    f" correlates by {kept:.2f} with the default's. Other choices, changed alone, leave more of it:"
    f" {', '.join(f'{value:.2f} {name}' for value, name in others)}. The projections of two"
    f" different faces correlate by {faces_alike:.2f}."
)

# %%
endings(run)

# %% [markdown]
# ## Switches, ReLU and biases: all eight
#
# Letters name what is on: S the recorded switches (without them a value goes to the first element
# of its window, as in {cite:t}`dosovitskiy2016`), R the ReLU on the way back, B the biases. The
# default, `S R ·`, is the deconvnet of {cite:t}`zeiler2014`. `S · ·` is the plain adjoint of the
# layers, a gradient that ignores the forward ReLUs.

# %% tags=["open"] mystnb={"figure": {"name": "fig-eight-choices", "caption": "The last maps of five test faces, projected back with each of the eight combinations of recorded switches (S), ReLU (R) and biases (B); a dot is for what is off. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Five faces and below them eight rows of projections. Rows with the recorded switches show small spots and short lines; rows without them show coarse spots. Rows without the ReLU have both signs."}}
combinations = {
    " ".join(letter if on else "·" for letter, on in zip("SRB", choice, strict=True)): {
        "switches": "recorded" if choice[0] else "none",
        "relu": choice[1],
        "bias": choice[2],
    }
    for choice in product((True, False), repeat=3)
}
chapter.projections_below(
    study.faces.images[rows[:5]],
    {name: deconvolve(trace[:5], **options) for name, options in combinations.items()},
)

# %% [markdown]
# The *ink* of a projection is its strength by pixel, the mean absolute value over the colours. The
# table has its correlation, over the pixels, with the ink of the default, with the edges of the
# image, which need no network, and with the ink of another face. The numbers are means over a
# sample of test images, with 95 % bootstrap intervals.


# %%
def likeness(options):
    outlines, rows = chapter.edges(trace.images), {}
    for name, chosen in options.items():
        own = style.strength(deconvolve(trace, **chosen))
        others = {
            "default": default,
            "edges of the image": outlines,
            "another image, same choices": own.roll(1, 0),
        }
        rows[name] = {
            label: mean_with_interval(pd.Series(chapter.correlations(own, other).numpy()))
            for label, other in others.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("choices")


likeness(combinations)

# %% [markdown]
# ## Other switches, and ties
#
# Random switches keep the values and lose the places. With `ties="all"` every element of a window
# that equals its maximum gets the value, as in Theano's max-pool, which the published code ran on.
# In PyTorch the first gets it. After a ReLU many windows are zero throughout: all of their
# elements are tied.

# %% mystnb={"figure": {"name": "fig-switches", "caption": "The last maps of five test faces, projected back by default, with random switches, with the value on all tied maxima, and with all choices of the published code. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Five faces and below them four rows of projections. Those with random switches are blurred; the other three rows can hardly be distinguished."}}
others = {
    "default": {},
    "random": {"switches": "random"},
    "ties: all": {"ties": "all"},
    "published": PUBLISHED,
}
chapter.projections_below(
    study.faces.images[rows[:5]],
    {name: deconvolve(trace[:5], **options) for name, options in others.items()},
)

# %%
likeness({name: options for name, options in others.items() if options})

# %%
zeros = [f"{(maps == 0).double().mean().item():.1%}" for maps in trace.pooled]
Markdown(f"Windows that are all zero, from the first max-pool to the last: {', '.join(zeros)}.")

# %% [markdown]
# ## From any layer, map or cell
#
# `layer` is the number of a max-pool, or the name that any layer before the head has in the model.
# `unit` picks one map, or one cell (element) of it.

# %% mystnb={"figure": {"name": "fig-layers-and-units", "caption": "One test face, projected back from each max-pool and the layer before it, by their names: all maps, the map with the largest sum, and the largest cell of that map. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "A row of projections for each layer. Those of all maps show the whole face in the first layers and a few spots and lines in the last ones; those of single cells show a spot, the larger the deeper the layer."}}
face = trace[0]
positions = [position for pool in face.network.poolings for position in (pool - 1, pool)]
projections = {}
for position, (maps,) in outputs(face, positions).items():
    layer = face.network.body[position].name
    strongest = int(maps.sum((1, 2)).argmax())
    i, j = divmod(int(maps[strongest].argmax()), maps.shape[2])
    projections[layer] = {
        "all maps": deconvolve(face, layer=layer)[0],
        f"map {strongest}": deconvolve(face, layer=layer, unit=strongest)[0],
        f"its cell {i}, {j}": deconvolve(face, layer=layer, unit=(strongest, i, j))[0],
    }
chapter.image_table(projections, study.faces.images[rows[0]])

# %% [markdown]
# ## What may be concluded, and what may not
#
# - Rows with the recorded switches are sharper than those without. The switches bring the detail:
#   they remember where in the image the maxima were, whatever the maps say.
# - A projection that correlates with the edges of the image shows these edges. That does not mean
#   that the network uses them.
# - Tied maxima are common where windows are zero throughout. So two libraries that differ in
#   nothing else may show different pictures; the second table says how different.
# - All of this is about one network and its faces.
