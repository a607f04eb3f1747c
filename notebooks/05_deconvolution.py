# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Deconvolution
#
# What does a cell of a deep feature map stand for? The paper projects it back to the image through
# the network in reverse, as {cite:t}`zeiler2014` did: unpool where the network pooled, rectify where
# it rectified, and convolve with the filters turned by 180°. Does that give back the image? And how
# much of what we then see is due to training?

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown
from skimage import data

from tinyvgg.chapters import deconvolution as chapter
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import sample_rows
from tinyvgg.chapters.statistics import averages, bootstrap_interval, estimate
from tinyvgg.chapters.verdicts import conclude, endings, record_numbers
from tinyvgg.deconvolution import deconvolve
from tinyvgg.network import Convolution, Pooling
from tinyvgg.trace import record
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import build_model

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
run = study.run(study.tasks[0])
endings(run)

# %%
rows = sample_rows(run, 40, seed)
trace = record(run.model, run.tensor(rows))
RANDOM, OTHER, EDGES = (
    "random weights, same image",
    "trained weights, another image",
    "edges of the image",
)
other_seed = replace(run.experiment, seed=run.experiment.seed + 1 + seed)
random = record(build_model(other_seed).eval(), trace.images)
parts = []
for level in range(3):
    own, other = deconvolve(trace, layer=level), deconvolve(random, layer=level)
    own_ink, other_ink = style.strength(own), style.strength(other)
    for name, of, a, b in (
        (RANDOM, "ink", own_ink, other_ink),
        (RANDOM, "signed", own, other),
        (OTHER, "ink", own_ink, own_ink.roll(1, 0)),
        (OTHER, "signed", own, own.roll(1, 0)),
        (EDGES, "ink", own_ink, chapter.edges(trace.images)),
        ("image", "signed", own, trace.images),
    ):
        found = {"correlation": chapter.correlations(a, b).numpy()}
        parts.append(pd.DataFrame({"level": level, "with": name, "of": of, **found}))
by_image = pd.concat(parts)
similarity = averages(by_image, ["level", "with", "of"], "correlation")
alike = chapter.correlations(deconvolve(trace), trace.images).numpy()
means = by_image.groupby(["of", "with", "level"])["correlation"].mean()
untrained, another, outlined = (means["ink"][name].to_numpy() for name in (RANDOM, OTHER, EDGES))
by_name = by_image.set_index(["of", "level", "with"])["correlation"]


def left(of, level):
    """Say if random weights leave more or less of the picture than another face does."""
    apart = (by_name[of, level, RANDOM] - by_name[of, level, OTHER].to_numpy()).dropna()
    low, high = bootstrap_interval(apart.to_numpy())
    return "less" if high < 0 else "more" if low > 0 else "about as much"


def answer(level):
    """Say whether the picture of a level is due to training."""
    more = left("ink", level) == "more", left("signed", level) == "more"
    return {
        (False, False): "So training makes this picture, about as much as the face does.",
        (True, False): "So training decides its signs, but in large part not where its ink lies.",
        (False, True): "So training decides where its ink lies, but in large part not its signs.",
        (True, True): "So much of this picture does not come from training.",
    }[more]


Markdown(
    "> **What came out.** The network in reverse does not give back the image: the projection of all"
    f" last maps has a correlation of {np.nanmean(alike):.2f} with it. Is the picture due to training?"
    " At the last pooling, from which the paper projects, its ink (absolute values) keeps a correlation"
    f" of {untrained[-1]:.2f} if the weights are random, and of {another[-1]:.2f} if the face is another."
    f" {answer(2)} At the first pooling the two are {untrained[0]:.2f} and {another[0]:.2f}, and"
    f" {means['signed', RANDOM, 0]:.2f} and {means['signed', OTHER, 0]:.2f} with signs. {answer(0)}"
)

# %% [markdown]
# ## Sizes
#
# A filter of side $k$ moved with stride $s$ over a square image of side $i$ with $p$ rows of zeros
# on each side makes an image of side (the paper's equation 1)
#
# $$
# i' = \frac{i - k + 2p}{s} + 1 .
# $$
#
# Solved for $i$, this is the size that a deconvolution has to restore. The paper gives it in three
# cases (see {cite:t}`dumoulin2016` for the arithmetic):
#
# - stride 1 with padding: $i' + (k - 1) - 2p$
# - larger strides without padding: $s(i' - 1) + k$
# - stride 1 without padding: $i' + k - 1$
#
# We try many combinations of side, filter, padding and stride with torch's convolutions and
# transposed convolutions.


# %%
def agree(i, k, p, s):
    """Return whether equation 1 and its inverses give torch's sizes, and whether i comes back."""
    image, kernel = torch.zeros(1, 1, i, i), torch.zeros(1, 1, k, k)
    after = F.conv2d(image, kernel, stride=s, padding=p)
    back = F.conv_transpose2d(after, kernel, stride=s, padding=p).shape[-1]
    size = after.shape[-1]
    inverse = s * (size - 1) + k if s > 1 else size + (k - 1) - 2 * p
    return size == (i - k + 2 * p) / s + 1, back == inverse, back == i


ranges = range(4, 33), (1, 2, 3, 4, 5, 7), (0, 1, 2, 3), (1, 2, 3, 4)
sizes = [(i, k, p, s) for i, k, p, s in product(*ranges) if p < k <= i + 2 * p and 1 in (s, p + 1)]
even, inverse, again = np.array([agree(*size) for size in sizes]).sum(0)
record_numbers({"e1.both.combinations": len(sizes), "e1.both.restored": int(again)})
Markdown(
    f"In {again:,} of {len(sizes):,} combinations the image has its size back. In the others the stride"
    " does not divide evenly. There equation 1 gives no whole number, the convolution never looks at"
    " the last rows, and the image comes back without them. Tiny VGG has no such layer."
)

# %% [markdown]
# ## Max-pooling and unpooling
#
# Max-pooling keeps the largest value of each window, and where it stood: the *switch*. Unpooling puts
# the value back there and fills the rest with zeros. The windows here are {paper}`f4.both.filter` by
# {paper}`f4.both.filter` and do not overlap, as in the network.

# %% mystnb={"figure": {"name": "fig-toy-pooling", "caption": "Max-pooling and unpooling of an array of whole numbers (upper half of the paper's Figure 4). Shades mark the windows, red frames the maxima. A switch is the place of a maximum in the array, counted from 0 in reading order; of equal maxima the first is taken."}, "image": {"alt": "Four arrays of numbers. The last one, unpooled, has the four maxima at their old places and zeros elsewhere."}}
toy = torch.randint(0, 10, (4, 4), generator=torch.Generator().manual_seed(3)).float()
chapter.toy_pooling(toy)

# %% mystnb={"figure": {"name": "fig-photograph-pooling", "caption": "A grayscale photograph of 512 by 512 pixels, max-pooled and unpooled with 2 by 2 windows (lower half of the paper's Figure 4, with another photograph: the camera man of scikit-image, by Lav Varshney, CC0). Below, the same part of each in detail."}, "image": {"alt": "A photographer with a camera, three times. The unpooled image is darker: in detail, three of four pixels are black."}}
photograph = torch.from_numpy(data.camera()).float()
chapter.photograph_pooling(photograph)


# %%
def pooling_gap(x):
    maxima, switches = F.max_pool2d(x[None], 2, return_indices=True)
    again = F.max_pool2d(F.max_unpool2d(maxima, switches, 2), 2)
    return float((again - maxima).abs().max())


pooling = {"toy array": pooling_gap(toy), "photograph": pooling_gap(photograph)}
same = "the same" if not any(pooling.values()) else "not quite the same"
Markdown(f"Unpooled and pooled again, the toy array and the photograph have {same} maxima.")

# %% [markdown]
# ## The network in reverse
#
# Each layer up to the last maps has its counterpart: unpooling with the recorded switches for
# max-pooling, a ReLU and a transposed convolution for a convolution and its ReLU. The transposed
# convolution uses the same filters, turned by 180°, and is the *adjoint* of the convolution:
# $\langle Cx, y \rangle = \langle x, C^* y \rangle$ for all $x$ and $y$. The adjoint is not the
# inverse. We compare the two products for random $x$ and $y$, without the bias and in double
# precision.


# %%
@torch.no_grad()
def adjoint_gap(layer, size):
    module = deepcopy(layer.module).double()
    module.bias = None
    layer = replace(layer, module=module)
    x = torch.randn(1, module.in_channels, *size, generator=generator, dtype=torch.float64)
    forward = layer.forward(x)
    y = torch.randn(forward.shape, generator=generator, dtype=torch.float64)
    difference = (forward * y).sum() - (x * layer.transpose(y, size)).sum()
    return float(difference.abs() / forward.norm() / y.norm())


generator = torch.Generator().manual_seed(0)
gaps = [
    adjoint_gap(layer, size)
    for layer, size in zip(trace.network.body, trace.sizes, strict=True)
    if isinstance(layer, Convolution)
]
adjoint = sum(gap < 1e-9 for gap in gaps)
sizes_of_maps, switches = [*trace.sizes, tuple(trace.maps.shape[2:])], iter(trace.switches)
restored = []
for layer, (before, after) in zip(trace.network.body, pairwise(sizes_of_maps), strict=True):
    if isinstance(layer, Convolution):
        back = layer.transpose(torch.zeros(1, layer.module.out_channels, *after), before)
    elif isinstance(layer, Pooling):
        recorded = next(switches)[:1]
        back = layer.transpose(torch.zeros(recorded.shape), recorded, before)
    else:
        continue
    restored.append(tuple(back.shape[-2:]) == tuple(before))
Markdown(
    f"They agree for {style.share_in_words(adjoint, len(gaps), 'convolution')}. The size of the input"
    f" comes back from {style.share_in_words(sum(restored), len(restored), 'layer')}."
)

# %% [markdown]
# The project's tests check the whole projection against Captum's deconvolution
# {cite:p}`kokhlikyan2020`, which gets it from a modified gradient.
#
# ## A face from each level

# %% mystnb={"figure": {"name": "fig-deconvolved-levels", "caption": "A test face, projected back from the output of each max-pooling of the network (the paper's Figure 3b at work): all maps of that level together, then the four maps with the largest sums alone. No biases, no ReLU on the image. Gray is zero; each image has its own scale."}, "image": {"alt": "Three rows, one for each pooling level: the face, then five projections of it on gray."}}
face = trace[0]
projections = {}
for level, maps in enumerate(face.pooled):
    strongest = maps[0].sum((1, 2)).argsort(descending=True, stable=True)[:4].tolist()
    projections[f"max-pool {level + 1}"] = {
        "all maps": deconvolve(face, layer=level)[0],
        **{f"map {unit}": deconvolve(face, layer=level, unit=unit)[0] for unit in strongest},
    }
chapter.image_table(projections, study.faces.images[rows[0]])

# %%
levels = ", ".join(f"{value:.2f}" for value in means["signed"]["image"])
Markdown(
    "The projection of all maps correlates with the image by"
    f" {levels}, from the first max-pool to the last."
)

# %% [markdown]
# ## Biases
#
# The text of the paper says nothing about biases. The published code adds to the output of each
# transposed convolution the bias of the preceding convolution, and rectifies the image;
# {cite:t}`zeiler2014` do neither. `deconvolve(trace)` is their deconvnet and the default here,
# `deconvolve(trace, **PUBLISHED)` is the code's. Without biases the projection $D(M)$ of maps $M$ is
# linear in their size: $D(0) = 0$ and $D(2M) = 2 D(M)$. With biases part of the picture is the same
# whatever the face. Does that matter to differences of two projections, which the next chapter takes?

# %%
whole, twice, nothing = (deconvolve(trace, n * trace.maps, bias=True) for n in (1, 2, 0))
top = float(whole.abs().max()) or 1.0
alone, bent = (float(each.abs().max()) / top for each in (nothing, twice - 2 * whole))
Markdown(
    f"The biases alone make values of at most {alone:.2%} of the largest. And D(2M) differs from"
    f" 2 D(M) by at most {bent:.2%} of that. So here"
    f" {'they hardly matter' if max(alone, bent) < 0.05 else 'they matter'}."
)

# %% [markdown]
# ## How much of it is training?
#
# {cite:t}`nie2018` and {cite:t}`mahendran2016` warn that a deconvnet partly restores the image,
# whatever the network has learned. {cite:t}`adebayo2018` make it a test: an explanation of training
# should change when the weights are random. So we project the same images back through a network of
# the same shape with random weights, and correlate the two projections pixel by pixel, by value
# (*signed*) and by absolute value (*ink*). Two controls show how much correlation comes from
# elsewhere: the trained network's projection of *another* image, since all faces are alike, and the
# edges of the image (the size of its gradient, found without any network). The table has means over
# a sample of the test images, with 95 % bootstrap intervals.

# %% mystnb={"figure": {"name": "fig-trained-and-random", "caption": "Test faces and the projections of all their last maps, through the trained network and through one of the same shape with random weights. Gray is zero; each image has its own scale."}, "image": {"alt": "Five faces, and below them two rows of projections on gray, one for each network."}}
chapter.projections_below(
    study.faces.images[rows[:5]],
    {"trained": deconvolve(trace[:5]), "random": deconvolve(random[:5])},
)

# %%
shown = similarity[similarity["with"] != "image"]
shown.assign(
    text=[f"{row.mean:+.3f} ({row.low:+.3f} to {row.high:+.3f})" for row in shown.itertuples()],
    level="max-pool " + (shown["level"] + 1).astype(str),
).pivot(index=["with", "of"], columns="level", values="text").rename_axis(columns=None)

# %%
words = {
    f"{of.replace('signed', 'signed values')} at max-pool {level + 1}": left(of, level)
    for of, level in product(("ink", "signed"), range(len(untrained)))
}
parts = [
    f"{word} {' and '.join(where for where, each in words.items() if each == word)}"
    for word in dict.fromkeys(words.values())
]
lines = [f"Compared with another face, random weights leave of the picture {'; '.join(parts)}."]
beside = f"The correlation of ink with the edges is {', '.join(f'{r:+.2f}' for r in outlined)}"
of_edges = similarity[similarity["with"] == EDGES]
if (of_edges["high"] < 0).all():
    lines.append(f"{beside}: here the ink does not follow the edges.")
elif (of_edges["low"] > 0).all():
    lines.append(f"{beside}: the ink lies on the edges more than elsewhere.")
Markdown(" ".join(lines))

# %%
short = {RANDOM: "random_weights", OTHER: "other_image", EDGES: "edges"}
last = by_image[(by_image["level"] == by_image["level"].max()) & by_image["with"].isin(short)]
record_numbers(
    {
        f"f3.{run.task}.{of}_{short[name]}": estimate(values)
        for (name, of), values in last.groupby(["with", "of"])["correlation"]
    }
)

# %% [markdown]
# ## What may be concluded, and what may not
#
# *Shown* means that nothing is tested: the line says what this run has, and where a
# statement does not hold.

# %%
record_numbers({f"f3.{run.task}.correlation_with_image": estimate(alike)})
conclude(
    study,
    E1=f"equation 1 gives the size in {even:,} of {len(sizes):,} combinations, its inverses that of the"
    f" deconvolution in {inverse:,}, and {again:,} images regain their size; where the stride does not"
    " divide evenly, they do not",
    F4="; ".join(
        f"{name}: unpooled and pooled again, the maxima differ by {gap:g}"
        for name, gap in pooling.items()
    ),
    F3=f"{sum(restored)} of {len(restored)} counterparts restore the size of their layer's input, and"
    f" {adjoint} of {len(gaps)} transposed convolutions are the adjoints of their convolutions; to"
    " undo a layer would take its inverse, and the projection of all last maps has a correlation of"
    f" {np.nanmean(alike):.2f} with the image",
)

# %% [markdown]
# - The picture does not depend on the dense layers. So the decision may not use what it shows, even
#   where a reader recognises a feature in it.
# - The correlations are those of *this* network, one random network and these faces. A correlation
#   pixel by pixel is a coarse measure of likeness.
# - {doc}`10_deconvnet_choices` changes the choices of a deconvnet one by one: switches, ReLU, biases.
