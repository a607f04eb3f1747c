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
# A deconvnet is a recipe with choices that papers seldom spell out. `deconvolve` names each of
# them. This chapter projects the same maps with all of them, and asks which part of the picture
# each of them makes:
#
# - the *switches*: where a value goes when max-pooling is undone;
# - the *ReLU* on the way back;
# - the *biases*, which the paper's published code adds and {cite:t}`zeiler2014` do not;
# - *ties*: which of several equal maxima gets the value;
# - the layer, the map and the pixel to start from.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
from itertools import product

import pandas as pd

from tinyvgg.chapters import deconvolution as chapter
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import sample_rows
from tinyvgg.chapters.verdicts import endings, mean_with_interval
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.network import Pooling
from tinyvgg.trace import outputs, record
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
run = study.run(study.tasks[0])
rows = sample_rows(run, 40, seed)
trace = record(run.model, run.tensor(rows))
endings(run)

# %% [markdown]
# ## Switches, ReLU and biases: all eight
#
# Letters name what is on: S the recorded switches (without them a value goes to the first element
# of its window, as in {cite:t}`dosovitskiy2016`), R the ReLU on the way back, B the biases. `S R ·`
# is the deconvnet of {cite:t}`zeiler2014`; `S · ·` is the plain adjoint of the layers, a gradient
# that ignores the forward ReLUs.

# %% tags=["open"] mystnb={"figure": {"name": "fig-eight-choices", "caption": "The last maps of five test faces of this run, projected back with each of the eight combinations of switches (S), ReLU (R) and biases (B). Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Five faces and below them eight rows of projections. Rows with the recorded switches show outlines of the faces; those without show a coarse pattern."}}
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
# The table correlates the *ink* (mean absolute value over the colours) of a projection with that of
# the default, with the edges of the image itself, which need no network, and with the same
# projection of another face. It has means over a sample of test images, with 95 % bootstrap
# intervals.


# %%
def likeness(options):
    outlines, rows = chapter.edges(trace.images), {}
    for name, chosen in options.items():
        own = style.strength(deconvolve(trace, **chosen))
        others = {
            "default": style.strength(deconvolve(trace)),
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
# that equals its maximum gets the value, as in Theano's max-pool, which the published code ran on;
# in PyTorch the first does. After a ReLU many windows are zero throughout, and all of their
# elements are tied.

# %% mystnb={"figure": {"name": "fig-switches", "caption": "The same maps with recorded and with random switches, with the value put on one and on all of several tied maxima, and with everything that the published code does. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Five faces and below them rows of projections for the choices that the caption names."}}
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
likeness(others)

# %%
pools = [layer.name for layer in trace.network.body if isinstance(layer, Pooling)]
zeros = [f"{(maps == 0).double().mean().item():.1%}" for maps in trace.pooled]
pd.DataFrame({"windows of zeros": zeros}, index=pd.Index(pools, name="max-pool"))

# %% [markdown]
# ## From any layer, map or pixel
#
# A max-pool is named by its number, any layer before the head by the name that it has in the
# model. `unit` picks one map, or one pixel of it.

# %% mystnb={"figure": {"name": "fig-layers-and-units", "caption": "One face of this run, projected back from layers of the network by their names: all maps, the map with the largest sum, and the largest pixel of that map. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Rows of projections, one for each layer; those of single pixels show a small part of the face, the larger the deeper the layer."}}
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
        f"its pixel {i}, {j}": deconvolve(face, layer=layer, unit=(strongest, i, j))[0],
    }
chapter.image_table(projections, study.faces.images[rows[0]])

# %% [markdown]
# ## What may be concluded, and what may not
#
# - The rows with recorded switches share what the other rows lack: their switches remember where in
#   the image the maxima were, whatever the maps say.
# - A high correlation with the edges of the image says that the projection shows these edges. It
#   does not say that the network uses them.
# - The choice among tied maxima matters wherever a projection passes windows that are zero
#   throughout. Two libraries that differ in nothing else may show different pictures.
# - These are statements about one network and its faces.
