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
# them. This chapter projects the same maps with all of them, and asks what of the picture comes
# from which:
#
# - the *switches*: where a value goes when max-pooling is undone;
# - the *ReLU* on the way back;
# - the *biases*, which the paper's published code adds and {cite:t}`zeiler2014` do not;
# - *ties*: which of several equal maxima is paid;
# - the layer, the map and the pixel to start from.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0

# %%
from tinyvgg.chapters import deconvnet_choices as findings
from tinyvgg.chapters import deconvolution as figures
from tinyvgg.chapters.backtracking import sample_rows
from tinyvgg.chapters.verdicts import whole
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.trace import record
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False)
run = study.run(study.tasks[0])
rows = sample_rows(run, 40, seed)
trace = record(run.model, run.tensor(rows))

# %% [markdown]
# ## Switches, ReLU and biases: all eight
#
# Letters name what is on: S the recorded switches (without them a value goes to the first element
# of its window, as in {cite:t}`dosovitskiy2016`), R the ReLU on the way back, B the biases. `S R ·`
# is the deconvnet of {cite:t}`zeiler2014`; `S · ·` is the plain adjoint of the layers, a gradient
# that ignores the forward ReLUs.

# %% mystnb={"figure": {"name": "fig-eight-choices", "caption": "The last maps of five test faces of this run, projected back with each of the eight combinations of switches (S), ReLU (R) and biases (B). Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Five faces and below them eight rows of projections. Rows with the recorded switches show outlines of the faces; those without show a coarse pattern."}}
figures.trained_and_random(
    study.faces.images[rows[:5]],
    {name: deconvolve(trace[:5], **options) for name, options in findings.COMBINATIONS.items()},
)

# %% [markdown]
# In numbers: how alike the *ink* (mean absolute value over the colours) of a projection is to that
# of the default, to the edges of the image itself, which no network is needed for, and to the
# same projection of another face. Means over a sample of test images, with 95 % bootstrap
# intervals.

# %%
whole(findings.choices_table(trace, findings.COMBINATIONS))

# %% [markdown]
# ## Other switches, and ties
#
# Random switches keep the values and lose the places. With `ties="all"` every maximum of a window
# that is equal to the largest is paid, as Theano's max-pool does, which the published code ran on;
# PyTorch pays the first. After a ReLU many windows are zero throughout, and all of their elements
# are tied.

# %% mystnb={"figure": {"name": "fig-switches", "caption": "The same maps with recorded and with random switches, with one and with all of several tied maxima paid, and with everything that the published code does. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Five faces and below them rows of projections for the choices that the caption names."}}
others = {
    "default": {},
    "random": {"switches": "random"},
    "ties: all": {"ties": "all"},
    "published": PUBLISHED,
}
figures.trained_and_random(
    study.faces.images[rows[:5]],
    {name: deconvolve(trace[:5], **options) for name, options in others.items()},
)

# %%
whole(findings.choices_table(trace, others))

# %%
findings.ties_table(trace)

# %% [markdown]
# ## From any layer, map or pixel
#
# A max-pool is named by its number, any layer before the head by the name that it has in the
# model. `unit` picks one map, or one pixel of it.

# %% mystnb={"figure": {"name": "fig-layers-and-units", "caption": "One face of this run, projected back from layers of the network by their names: all maps, the map with the largest sum, and the largest pixel of that map. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Rows of projections, one for each layer; those of single pixels show a small part of the face, the larger the deeper the layer."}}
figures.image_table(findings.by_layer(trace[0]), study.faces.images[rows[0]])

# %% [markdown]
# ## What may be concluded, and what may not
#
# - What rows with the recorded switches share and rows without them lack, the switches bring: they
#   remember where in the image the maxima were, whatever the maps say.
# - A high correlation with the edges of the image says that the projection shows the image's
#   edges, and none says that the network uses them.
# - Where ties are paid makes a difference wherever a projection passes windows that are zero
#   throughout. Two libraries that differ in nothing else may show different pictures.
# - These are statements about one network and its faces.
