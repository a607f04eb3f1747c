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
# # Feature tracking
#
# Backtracking gives pixels of the last maps; deconvolution shows what maps stand for in the image.
# The paper puts the two together: what the deconvolved image loses when the backtracked pixels are
# suppressed are the features that led to the error. This chapter
#
# - runs the algorithm as printed beside the package's version;
# - shows the tracked features of the errors of each task;
# - measures where they lie, and compares with as many active pixels drawn at random and with the
#   deconvolution of everything.

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
from tinyvgg.backtracking import Cutoff, backtrack
from tinyvgg.chapters import feature_tracking as chapter
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import follow_errors
from tinyvgg.chapters.deconvolution import correlations
from tinyvgg.chapters.statistics import averages
from tinyvgg.chapters.verdicts import conclude, endings, mean_with_interval, record_numbers
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.tracking import suppress, track_features
from tinyvgg.training.experiments import open_study

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
runs = {task: study.run(task) for task in study.tasks}
first = study.tasks[0]

# %%
followed = {task: follow_errors(run, seed) for task, run in runs.items()}
tracked = {task: chapter.track(run, followed[task], seed) for task, run in runs.items()}
tables = {task: chapter.tracked_table(part) for task, part in tracked.items()}
regions = chapter.find_regions(tracked[first])
by_error = chapter.region_table(tracked[first], regions)
density = by_error.groupby(["region", "set"])["density"].mean().unstack()
parts = [part for part in chapter.FEATURES if part in density.index]
said = ", ".join(
    f"{part} {density['cutoff'][part]:.2f} ({density['random'][part]:.2f})"
    for part in parts
    if density["cutoff"][part] == density["cutoff"][part]
)
Markdown(
    f"> **What came out.** Density of the ink of tracked features in the errors for"
    f" {paper.TASK_NAMES[first]}, one for an even spread over the image, and in brackets that of as"
    f" many random pixels: {said} (published cutoff)."
) if said else None

# %%
endings(*runs.values())

# %% [markdown]
# ## Algorithm 2
#
# For each misclassified image $d_i$ with last maps $M_i$: backtracking gives $L$; $M'_i$ is $M_i$
# with the activations in $L$ suppressed (set to zero); the features are
#
# $$
# D'_i = \left| \operatorname{Deconvolution}(M_i) - \operatorname{Deconvolution}(M'_i) \right| .
# $$
#
# Both deconvolutions use the switches of the one forward pass. In plain loops, with the cutoff of
# the published code, for some errors of the network for the first task (identity where the source
# knows subjects):


# %% tags=["open"]
def algorithm_2(trace):
    features = []
    for d in (trace[i] for i in range(len(trace))):
        L = backtrack(d, rule=Cutoff()).pixels[0]
        S = [torch.where(L[m], 0, d.maps[0, m]) for m in range(len(L))]
        M_ = torch.stack(S)[None]
        features.append((deconvolve(d, d.maps) - deconvolve(d, M_)).abs())
    return features


trace = followed[first].trace[:10]
looped = algorithm_2(trace)
packaged = track_features(trace, followed[first].pixels("cutoff")[:10])
agrees = all(
    bool((a[0] - b).abs().max() <= 1e-5 * b.max()) for a, b in zip(looped, packaged, strict=True)
)
pd.Series({"images": len(looped), "same features": agrees}, name="loop and package").to_frame()

# %% [markdown]
# ## What the rules track
#
# Where the printed rule keeps all active pixels (see {doc}`04_backtracking`), $M'$ is zero, and so
# is its deconvolution: the "tracked" features are then the deconvolution of everything. With the
# published code's cutoff something remains to be subtracted. Three yardsticks stand beside it: the
# whole deconvolution, and the features of as many active pixels, those with the *largest*
# activations and *random* ones. Correlations are over the pixels of each image, with 95 %
# intervals.

# %%
chapter.tracked_summary(tables)

# %%
for task, table in tables.items():
    found = chapter.tracked_numbers(tracked[task], table)
    record_numbers({f"a2.{task}.{name}": number for name, number in found.items()})

# %% [markdown]
# ### The published display
#
# The published code takes grayscale versions of both deconvolutions, keeps whole gray levels of
# their difference, multiplies by {paper}`a2.both.code_gain` with wrap-around at
# {paper}`a2.both.code_levels`, and inverts. Differences below one level vanish; larger ones go
# round like a clock's hand, so that a stronger feature can be lighter than a weaker one. The scale
# of its deconvolutions is not known; ours are put on the scale of 8-bit images. We leave out the
# last step, an increase of brightness and contrast.

# %%
GAIN, LEVELS = (int(paper.number(f"a2.both.code_{name}")) for name in ("gain", "levels"))


def display(tracked):
    gray = torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    trace, pixels = tracked.trace, tracked.pixels["cutoff"]
    with_all, without = (
        (deconvolve(trace, maps, **PUBLISHED) * gray).sum(1) * LEVELS
        for maps in (trace.maps, suppress(trace.maps, pixels))
    )
    difference = (with_all - without).abs().double().numpy()
    wrapped = np.floor(difference).astype(np.int64) * GAIN % LEVELS
    return (LEVELS - 1 - wrapped).astype(np.uint8), difference


# %% mystnb={"figure": {"name": "fig-feature-sets", "caption": "Images that the network for the first task gets wrong; the ink of the deconvolution of all maps; the features tracked with the literal rule, with the published cutoff, and with as many active pixels, largest and random; and the features of the cutoff as the published code displays them. In all but the last column ink is the mean absolute value over the colours, white is none, black the strongest of the image."}, "image": {"alt": "Rows of an image and six maps of ink, to be compared with each other."}}
published, _ = display(tracked[first])
chapter.feature_sets(tracked[first], published)

# %% [markdown]
# How far does the darkness in the last column follow the difference that it is made from?

# %%
displayed = {}
for task, part in tracked.items():
    if len(part):
        shown, difference = display(part)
        darkness = torch.from_numpy(255.0 - shown)
        honest = correlations(darkness, torch.from_numpy(difference)).numpy()
        displayed[paper.TASK_NAMES[task]] = {
            "images": len(part),
            "pixels below one level, lost": f"{(difference < 1).mean():.3f}",
            "pixels that wrap around": f"{(np.floor(difference) * GAIN >= LEVELS).mean():.3f}",
            "correlation of darkness and difference": mean_with_interval(pd.Series(honest)),
        }
pd.DataFrame.from_dict(displayed, orient="index").rename_axis("task")

# %% [markdown]
# All other figures here show ink in proportion: white is none, black the strongest of the image.
#
# ## All errors
#
# The paper's Figure 8 shows all {paper}`f8.subject.images` errors of its identity network.

# %% mystnb={"figure": {"name": "fig-tracked-identity", "caption": "Images that the network for the first task gets wrong, each with its tracked features at its right (published cutoff; the paper's Figure 8). Above each the true class and the one it was taken for."}, "image": {"alt": "Many small images, each beside a map of ink."}}
chapter.gallery(tracked[first], "cutoff")

# %% mystnb={"figure": {"name": "fig-tracked-identity-more", "caption": "The next page of the errors of the same network."}, "image": {"alt": "Many small images, each beside a map of ink."}}
chapter.gallery(tracked[first], "cutoff", page=1)

# %% mystnb={"figure": {"name": "fig-tracked-emotion", "caption": "Images that the network for the last task gets wrong, the first page; `page=1` shows the next. Each with its tracked features at its right (published cutoff)."}, "image": {"alt": "Many small images, each beside a map of ink."}}
style.second(lambda part: chapter.gallery(part, "cutoff", size=80), list(tracked.values()))

# %% [markdown]
# ## Where the features lie
#
# The cameras of a set like the paper's stand still, so that faces of one angle coincide and can be
# averaged.

# %% mystnb={"figure": {"name": "fig-average-features", "caption": "Mean of the images that the network for the first task gets wrong, by camera angle where it is known; mean ink of the features tracked with the published cutoff, with as many random active pixels, and of the deconvolution of all maps, each on its own scale. Outlines, where they are known: eyes, nose, cheeks and mouth in most of the images."}, "image": {"alt": "Mean images by angle, and below them three rows of mean ink."}}
chapter.average_features(tracked[first], regions)

# %% [markdown]
# The paper reads off its figure that the features spread over the entire face: eyes, nose, cheeks
# and mouth. For synthetic faces the renderer knows which part each pixel of each image shows; of
# photographs that are cropped around faces, where these parts lie when seen from the front. The
# density of a region is its share of the ink over its share of the area; evenly spread ink has
# density 1 everywhere. Beside the tracked features stand those of the controls, the activation of
# the last maps itself, and the gradient of the predicted class's logit, which says on which pixels
# the answer depends.

# %%
densities = averages(by_error, ["set", "region"], "density")
shown = densities.pivot(index="region", columns="set", values="text")
shown = shown.reindex(index=list(regions.masks), columns=list(chapter.SETS))
shown = shown.rename(columns=chapter.SETS).rename_axis(index=None, columns=None)
shown = shown.dropna(how="all")
shown if len(shown) else None

# %% mystnb={"figure": {"name": "fig-regions", "caption": "Density of ink on four parts of the misclassified faces (share of ink over share of area), for the features tracked with the published cutoff, with as many random active pixels, and for the whole deconvolution. Means with 95 % bootstrap intervals over images; the line is even spread."}, "image": {"alt": "Points with intervals for eyes, nose, cheeks and mouth, in three colours for the three sets."}}
chapter.region_plot(densities)

# %%
Markdown(chapter.why_there(tracked[first], regions, by_error))

# %% [markdown]
# Does the crop decide this? The source `synthetic:crop=head` shows the whole head
# before white. The rule of F8 judges the recorded networks of both, each crop by itself: in how many
# networks it is as the paper says, and the mean over networks with its 95 % interval.

# %%
crops = chapter.crop_table(profile)
crops if len(crops) else None

# %%
numbers = chapter.region_numbers(by_error, regions)
record_numbers({f"f8.{first}.{name}": number for name, number in numbers.items()})

# %% [markdown]
# ## What may be concluded, and what may not
#
# Claims are judged over networks that differ in their seed, by rules that were written before these
# networks were trained.

# %%
conclude(study, "A2", "F8")

# %% [markdown]
# F8 says that features lie on eyes, nose, cheeks and mouth. Had they more ink there than an even
# spread gives, it would not show that they were selected: ink from random pixels, or from all, has to
# lie somewhere as well, and the tables above say how alike the three are. Where they are alike, the
# picture shows what the network's maps contain, not why it erred. Nor does ink in a region show
# that the decision changes without it; the case studies, {doc}`07_subject_40` and
# {doc}`08_eight_emotions`, suppress pixels and ask the network again.
