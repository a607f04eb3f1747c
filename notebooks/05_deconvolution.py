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
# # Deconvolution
#
# What does a cell of a deep feature map stand for? The paper projects it back to the image through
# the network in reverse, as {cite:t}`zeiler2014` did: unpool where the network pooled, rectify where
# it rectified, and convolve with the filters turned by 180°. How exact is that? And how much of what
# we then see is due to training at all?

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
from tinyvgg.chapters.statistics import averages, estimate
from tinyvgg.chapters.verdicts import conclude, endings, record_numbers
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.network import Convolution, Pooling
from tinyvgg.trace import record
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import build_model

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
run = study.run(study.tasks[0])

# %%
rows = sample_rows(run, 40, seed)
trace = record(run.model, run.tensor(rows))
other_seed = replace(run.experiment, seed=run.experiment.seed + 1 + seed)
random = record(build_model(other_seed).eval(), trace.images)
parts = []
for level in range(3):
    own, other = deconvolve(trace, layer=level), deconvolve(random, layer=level)
    own_ink, other_ink = style.strength(own), style.strength(other)
    for name, of, a, b in (
        ("random weights, same image", "ink", own_ink, other_ink),
        ("random weights, same image", "signed", own, other),
        ("trained weights, another image", "ink", own_ink, own_ink.roll(1, 0)),
        ("trained weights, another image", "signed", own, own.roll(1, 0)),
        ("edges of the image", "ink", own_ink, chapter.edges(trace.images)),
    ):
        found = {"correlation": chapter.correlations(a, b).numpy()}
        parts.append(pd.DataFrame({"level": level, "with": name, "of": of, **found}))
by_image = pd.concat(parts)
similarity = averages(by_image, ["level", "with", "of"], "correlation")
alike = chapter.correlations(deconvolve(trace), trace.images).numpy()
ink = similarity[similarity["of"] == "ink"].pivot(index="with", columns="level", values="mean")
untrained, another = (ink.loc[name].to_numpy() for name in ink.index[1:])
Markdown(
    "> **What came out.** Unpooling puts each maximum back to its place. Still, the network in reverse"
    " does not give back the image: the projection of all last maps has a correlation of"
    f" {np.nanmean(alike):.2f} with it. The ink (absolute values) of a network with random weights"
    f" correlates with the trained network's by {untrained[0]:.2f} at the first pooling and by"
    f" {untrained[-1]:.2f} at the last. For comparison, the ink of another face through the trained"
    f" network does so by {another[0]:.2f} and {another[-1]:.2f}."
)

# %%
endings(run)

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
# We compare with the sizes that torch's convolutions and transposed convolutions really return, for
# many combinations of side, filter, padding and stride in which the filter fits:

# %%
ranges = range(4, 33), (1, 2, 3, 4, 5, 7), (0, 1, 2, 3), (1, 2, 3, 4)
sizes = pd.DataFrame(product(*ranges), columns=["i", "k", "p", "s"])
sizes = sizes.query("p < k <= i + 2 * p and (s == 1 or p == 0)").reset_index(drop=True)


def torch_sizes(i, k, p, s):
    image, kernel = torch.zeros(1, 1, i, i), torch.zeros(1, 1, k, k)
    after = F.conv2d(image, kernel, stride=s, padding=p)
    return after.shape[-1], F.conv_transpose2d(after, kernel, stride=s, padding=p).shape[-1]


i, k, p, s = sizes.to_numpy().T
cases = "1: s = 1, p > 0", "2: s > 1, p = 0", "3: s = 1, p = 0"
sizes["case"] = np.select([s > 1, p > 0], [cases[1], cases[0]], cases[2])
sizes["whole"] = (i - k + 2 * p) % s == 0
sizes["size"], sizes["torch_back"] = np.array(
    [torch_sizes(*row) for row in sizes[list("ikps")].to_numpy()]
).T
sizes["formula"] = (i - k + 2 * p) / s + 1
after = sizes["size"].to_numpy()
sizes["formula_back"] = np.select(
    [s > 1, p > 0], [s * (after - 1) + k, after + (k - 1) - 2 * p], after + k - 1
)
checks = {
    "combinations": sizes["i"] > 0,
    "equation 1 gives torch's size": sizes["formula"] == sizes["size"],
    "the inverse gives torch's size": sizes["formula_back"] == sizes["torch_back"],
    "the image has its size back": sizes["torch_back"] == sizes["i"],
}
pd.DataFrame(checks).groupby([sizes["case"], sizes["whole"].rename("s divides evenly")]).sum()

# %% [markdown]
# Where $s$ does not divide $i - k + 2p$, equation 1 gives no whole number. The convolution then
# never looks at the last rows of the image, and the deconvolution returns an image without them.
# The network here has no such layer: its convolutions have stride 1, its pools halve even sides.

# %%
record_numbers(
    {
        "e1.both.combinations": len(sizes),
        "e1.both.restored": int(checks["the image has its size back"].sum()),
    }
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
Markdown(f"After unpooling and pooling again, maxima differ by {max(pooling.values()):g} at most.")

# %% [markdown]
# ## The network in reverse
#
# Each layer up to the last maps has its counterpart. The transposed convolution uses the same
# filters, turned by 180°, and is the *adjoint* of the convolution: $\langle Cx, y \rangle =
# \langle x, C^* y \rangle$ for all $x$ and $y$. It is not its inverse.

# %%
sizes_of_maps = [*trace.sizes, tuple(trace.maps.shape[2:])]
switches, undone = iter(trace.switches), []
for layer, (before, after) in zip(trace.network.body, pairwise(sizes_of_maps), strict=True):
    if isinstance(layer, Convolution):
        names = "convolution + ReLU", "ReLU + transposed convolution"
        back = layer.transpose(torch.zeros(1, layer.module.out_channels, *after), before)
    elif isinstance(layer, Pooling):
        names = "max-pooling", "unpooling with the switches"
        recorded = next(switches)[:1]
        back = layer.transpose(torch.zeros(recorded.shape), recorded, before)
    else:
        continue
    sides = [" x ".join(map(str, size)) for size in (before, after, back.shape[-2:])]
    undone.append((names[0], *sides[:2], names[1], sides[2]))
layers = pd.DataFrame(undone, columns=["layer", "input", "output", "undone by", "restores"])
layers.iloc[::-1].reset_index(drop=True)


# %% [markdown]
# We compare the two products for random $x$ and $y$, without the bias and in double precision:


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
adjoint = sum(gap < chapter.EXACT for gap in gaps)
Markdown(f"{adjoint} of {len(gaps)} convolutions agree within {chapter.EXACT:g}.")

# %% [markdown]
# The project's tests check the whole projection against Captum's deconvolution
# {cite:p}`kokhlikyan2020`, which gets it from a modified gradient.
#
# ## A face from each level

# %% mystnb={"figure": {"name": "fig-deconvolved-levels", "caption": "A test face, projected back from the output of each max-pooling of the network (the paper's Figure 3b at work): all maps of that level together, then the four maps with the largest sums alone. Without biases and without a ReLU on the image; zero is mid-gray, each image on its own scale."}, "image": {"alt": "Three rows, one for each pooling level. From the first level the face can still be recognised; from the last only a few bright arcs and spots remain."}}
face = trace[0]
projections = {}
for level, maps in enumerate(face.pooled):
    strongest = maps[0].sum((1, 2)).argsort(descending=True, stable=True)[:4].tolist()
    projections[f"max-pool {level + 1}"] = {
        "all maps": deconvolve(face, layer=level)[0],
        **{f"map {unit}": deconvolve(face, layer=level, unit=unit)[0] for unit in strongest},
    }
chapter.image_table(projections, study.faces.images[rows[0]])

# %% [markdown]
# ## Biases and the last ReLU
#
# The text of the paper says nothing about either. The published code adds to the output of each
# transposed convolution the bias of the preceding convolution, and rectifies the image as well;
# {cite:t}`zeiler2014` do neither. `deconvolve(trace)` is their deconvnet and the default here,
# `deconvolve(trace, **PUBLISHED)` is the code's.

# %% tags=["open"] mystnb={"figure": {"name": "fig-deconvolution-options", "caption": "The last maps of five test faces projected back without and with biases, and without and with a ReLU on the image. The first row of projections is the deconvnet of Zeiler and Fergus, the last the published code's. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Five faces, and below them four rows of projections: bright arcs and spots on gray, which hardly differ from row to row."}}
options = {
    "neither": {},
    "last ReLU": {"final_relu": True},
    "biases": {"bias": True},
    "published": PUBLISHED,
}
chapter.projections_below(
    study.faces.images[rows[:5]],
    {name: deconvolve(trace[:5], **option) for name, option in options.items()},
)

# %%
properties = {}
for bias, rectified in product((False, True), (False, True)):
    option = {"bias": bias, "final_relu": rectified}
    whole = deconvolve(trace, **option)
    twice = deconvolve(trace, 2 * trace.maps, **option)
    nothing = deconvolve(trace, torch.zeros_like(trace.maps), **option)
    size = float(whole.abs().max()) or 1.0
    properties["yes" if bias else "no", "yes" if rectified else "no"] = {
        "largest |D(0)|, of the largest |D(M)|": f"{float(nothing.abs().max()) / size:.1g}",
        "largest |D(2M) - 2 D(M)|, likewise": f"{float((twice - 2 * whole).abs().max()) / size:.1g}",
        "share of negative values": f"{float((whole < 0).float().mean()):.3f}",
    }
pd.DataFrame.from_dict(properties, orient="index").rename_axis(["biases", "ReLU on the image"])

# %% [markdown]
# $D(M)$ is the projection of maps $M$. Without biases $D(0)$ is zero and $D(2M)$ is twice $D(M)$.
# Biases break both: part of the image then comes from them, whatever the face. This matters for the
# next chapter, which takes differences of two projections.
#
# ## How much of it is training?
#
# {cite:t}`nie2018` and {cite:t}`mahendran2016` warn that a deconvnet partly restores the image,
# whatever the network has learned. The switches carry the places of edges, and rectifying on the
# way back keeps them. {cite:t}`adebayo2018` make it a test: an explanation of training should
# change when the weights are random. So we project the same images back through a network of the
# same shape with random weights, and correlate the two projections pixel by pixel, by value
# (*signed*) and by absolute value (*ink*). Two controls show how much correlation comes from
# elsewhere. One is the trained network's projection of *another* image, since all faces are alike.
# The other is the edges of the image itself, the size of its gradient, found without any network.
# The table has means over a sample of the test images, with 95 % bootstrap intervals.

# %% mystnb={"figure": {"name": "fig-trained-and-random", "caption": "Test faces and the projections of all their last maps, through the trained network and through one of the same shape with random weights. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "Five faces and two rows of projections. Those of the trained network are a few bright arcs and spots, those of the random one a grain all over."}}
chapter.projections_below(
    study.faces.images[rows[:5]],
    {"trained": deconvolve(trace[:5]), "random": deconvolve(random[:5])},
)

# %%
similarity.assign(
    text=[
        f"{row.mean:+.3f} ({row.low:+.3f} to {row.high:+.3f})" for row in similarity.itertuples()
    ],
    level="max-pool " + (similarity["level"] + 1).astype(str),
).pivot(index=["with", "of"], columns="level", values="text").rename_axis(columns=None)

# %%
short = {
    "random weights, same image": "random_weights",
    "trained weights, another image": "other_image",
    "edges of the image": "edges",
}
last = by_image[by_image["level"] == by_image["level"].max()]
record_numbers(
    {
        f"f3.{run.task}.{of}_{short[name]}": estimate(values)
        for (name, of), values in last.groupby(["with", "of"])["correlation"]
    }
)

# %% [markdown]
# ## What may be concluded, and what may not
#
# What this chapter's claims say holds by construction, whatever the network has learned.

# %%
record_numbers({f"f3.{run.task}.correlation_with_image": estimate(alike)})
even, inverse, again = (checks[name] for name in list(checks)[1:])
same = int((layers["input"] == layers["restores"]).sum())
conclude(
    study,
    E1=f"equation 1 gives the size in {even.sum():,} of {len(sizes):,} cases, all those in which "
    f"the stride divides evenly, and {again.sum():,} images have their size back; the three "
    f"inverses give the size of the deconvolution in {inverse.sum():,}",
    F4="; ".join(
        f"{name}: unpooled and pooled again, the maxima differ by {gap:g}"
        for name, gap in pooling.items()
    ),
    F3=f"{same} of {len(layers)} counterparts restore the size of their layer's input, and "
    f"{adjoint} of {len(gaps)} transposed convolutions are the "
    f"adjoints of their convolutions; that undoes no layer: the projection of all last maps has a "
    f"correlation of {np.nanmean(alike):.2f} with the image",
)

# %% [markdown]
# - A deconvolved image shows where in the image the values of the maps came from, since the
#   switches remember it. A reader may recognise a feature in it. The network need not have learned
#   that feature, and the decision need not use it: the dense layers take no part in these pictures.
# - Where a network with random weights makes the same pictures, they do not show training.
# - The correlations above are those of *this* network, one random network and these faces. A
#   correlation pixel by pixel is a coarse measure of likeness.
