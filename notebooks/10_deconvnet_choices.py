# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # What the deconvnet's choices do
#
# A deconvnet ({doc}`05_deconvolution`) has choices that papers seldom spell out. Which of them
# make the picture?
#
# - *Switches* say where a value goes when max-pooling is undone: to the place recorded in the
#   forward pass (the default), always to the first element of the window (fixed, as in
#   {cite:t}`dosovitskiy2016`), or to a random one.
# - The *ReLU* may be applied on the way back, or not.
# - The paper's published code adds the *biases*, and {cite:t}`zeiler2014` do not.
# - If several elements of a window *tie* for the maximum, one or all of them get the value.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import pandas as pd
from IPython.display import Markdown

from tinyvgg.chapters import deconvolution as chapter
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import sample_rows
from tinyvgg.chapters.sanity import SAME
from tinyvgg.chapters.verdicts import mean_with_interval
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.trace import record
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
run = study.run(study.tasks[0])
rows = sample_rows(run, 40, seed)
trace = record(run.model, run.tensor(rows))

alone = {
    "fixed switches": {"switches": "none"},
    "random switches": {"switches": "random"},
    "no ReLU": {"relu": False},
    "all tied maxima": {"ties": "all"},
    "biases": {"bias": True},
}
choices = {"default": {}} | alone
choices["fixed switches, no ReLU"] = {"switches": "none", "relu": False}
choices["published code"] = PUBLISHED
inks = {name: style.strength(deconvolve(trace, **options)) for name, options in choices.items()}
default, outlines = inks["default"], chapter.edges(trace.images)
kept, drawn = (
    {name: pd.Series(chapter.correlations(ink, other).numpy()) for name, ink in inks.items()}
    for other in (default, outlines)
)
ranked = sorted(alone, key=lambda name: kept[name].mean())
said = {name: f"{name} ({kept[name].mean():.2f})" for name in ranked}
little = [said[name] for name in ranked[1:] if kept[name].mean() > SAME]
more = [said[name] for name in ranked[1:] if kept[name].mean() <= SAME]
faces_alike = chapter.correlations(default, default.roll(1, 0)).nanmean()
then = f" Next in order: {', '.join(more)}." if more else ""
hardly = f" What hardly matters: {', '.join(little)}." if little else ""
Markdown(
    f"> **What came out.** Of single choices, *{ranked[0]}* changes the picture most: its ink keeps a"
    f" correlation of {kept[ranked[0]].mean():.2f} with that of the default.{then}{hardly} For"
    f" comparison, the default's pictures of two different faces correlate by {faces_alike:.2f}."
)

# %% [markdown]
# The *ink* of a projection is its strength by pixel, the mean absolute value over the colours. We
# correlate it, over the pixels, with the ink of the default, and with the edges of the image, which
# need no network.

# %% tags=["open"] mystnb={"figure": {"name": "fig-choices", "caption": "The last maps of five test faces, projected back by default (recorded switches, the ReLU, no biases, the first of tied maxima), with other switches, without the ReLU, and as the published code does. Gray is zero; each image has its own scale."}, "image": {"alt": "Five faces, and below them a row of projections on gray for each choice."}}
pictured = [name for name in choices if name not in ("all tied maxima", "biases")]
chapter.projections_below(
    study.faces.images[rows[:5]],
    {name: deconvolve(trace[:5], **choices[name]) for name in pictured},
)

# %%
table = {
    name: {
        "correlation with the default": mean_with_interval(kept[name]),
        "with the edges of the image": mean_with_interval(drawn[name]),
    }
    for name in choices
}
pd.DataFrame.from_dict(table, orient="index").rename_axis("choice")

# %%
edged = max(drawn, key=lambda name: drawn[name].mean())
zeros = [f"{(maps == 0).double().mean().item():.0%}" for maps in trace.pooled]
Markdown(
    "The table has means over a sample of test images, with 95 % bootstrap intervals. Ink and"
    f" edges correlate most with *{edged}* ({drawn[edged].mean():+.2f}); by default the correlation is"
    f" {drawn['default'].mean():+.2f}. Ties are common: from the first max-pool to the last, all"
    f" elements are zero in {', '.join(zeros)} of the windows."
)

# %% [markdown]
# Fixed switches put all values on a regular lattice of pixels, whatever the face. Random ones scatter
# them over their windows, around the right place. Without recorded switches and without the ReLU the
# projection is one fixed linear map of the last maps. PyTorch gives the value of tied maxima to the
# first of them, and Theano, on which the published code ran, to all.
#
# ## What may be concluded, and what may not
#
# - A picture of features is a picture of these choices, too. Say which ones you made.
# - A correlation measures likeness pixel by pixel. It does not say which picture is sharper, or
#   nearer to what the network uses.
# - All of this is about one network, that for the first task, and its faces.
