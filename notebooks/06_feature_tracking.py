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
# Backtracking gives cells of the last maps, and deconvolution shows what maps stand for in the
# image. The paper combines the two. It suppresses the backtracked cells; what the deconvolved image
# loses by that are the *tracked features* that led to the error. By its pictures they lie on eyes,
# nose, cheeks and mouth. Do they? And do random cells give other pictures?

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
from tinyvgg.chapters.cases import counted, random_pixels
from tinyvgg.chapters.deconvolution import correlations
from tinyvgg.chapters.statistics import averages
from tinyvgg.chapters.verdicts import conclude, endings, mean_with_interval, record_numbers
from tinyvgg.contribution import top_pixels
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
of = by_error.groupby(["set", "region"])[["ink", "area", "density"]].mean()
with_whole = tables[first].groupby("set")["with_whole"].mean()
lines = []
if "cutoff" in with_whole.dropna():
    lines += [
        f"The tracked features of the errors for {paper.TASK_NAMES[first]} (published cutoff)"
        f" correlate by {with_whole['cutoff']:.2f} with the deconvolution of all maps, those of as"
        f" many random cells by {with_whole['random']:.2f}."
    ]
if not of["density"].dropna().empty:
    on = of["density"].xs(chapter.TOGETHER, level="region")
    lines += [
        f"Eyes, nose, cheeks and mouth have {on['cutoff']:.2f} of the ink (absolute values) that an"
        " even spread over the picture would give them. With random cells in place of the"
        f" backtracked ones they have {on['random']:.2f} of it."
    ]
if ("cutoff", "background") in of.index:
    ink, area, _ = of.loc["cutoff", "background"]
    lines += [f"The background is {area:.0%} of the pictures, and {ink:.0%} of the ink lies there."]
Markdown(f"> **What came out.** {' '.join(lines)}") if lines else None

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
# Both use the switches of one forward pass. *Ink* is the absolute value, averaged over the colours.
# In plain loops, with the cutoff of the published code, for some errors of the first task:


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
# Where the printed rule keeps all active cells (see {doc}`04_backtracking`), $M'$ is zero, and so
# is its deconvolution. The "tracked" features are then the deconvolution of everything. With the
# published code's cutoff, $M'$ keeps some cells. There are three yardsticks: the whole
# deconvolution, and the features of as many active cells, either those with the *largest*
# activations or *random* ones. Correlations are over the pixels of each image, with 95 % intervals.

# %%
summary = chapter.tracked_summary(tables)
summary if len(summary) else None

# %%
for task, table in tables.items():
    found = chapter.tracked_numbers(tracked[task], table) if len(table) else {}
    record_numbers({f"a2.{task}.{name}": number for name, number in found.items()})

# %% [markdown]
# ### The published display
#
# The published code turns both deconvolutions gray and keeps whole gray levels of their difference.
# It multiplies these by {paper}`a2.both.code_gain`, wraps around at {paper}`a2.both.code_levels`,
# and inverts. Differences below one level vanish. Larger ones go round like a clock's hand, so a
# stronger feature can be lighter than a weaker one. The scale of its deconvolutions is not known;
# ours is that of 8-bit images. We do not raise brightness and contrast at the end.

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


# %% mystnb={"figure": {"name": "fig-feature-sets", "caption": "Misclassified images, and from left to right the ink of: the deconvolution of all maps; the features tracked with the literal rule and with the published cutoff; those of the same number of active cells, largest and random; and the features of the cutoff as the published code displays them. In all but the last column white is no ink, black the most of the image (mean absolute value over the colours)."}, "image": {"alt": "Each row has an image and six maps of ink. Five of them show nearly the same dark arcs and spots; the last is black and white noise."}}
published, _ = display(tracked[first])
chapter.feature_sets(tracked[first], published)

# %% [markdown]
# Does the darkness in the last column follow the difference that it displays?

# %%
displayed = {}
for task, part in tracked.items():
    if len(part):
        shown, difference = display(part)
        darkness = torch.from_numpy(255.0 - shown)
        honest = correlations(darkness, torch.from_numpy(difference)).numpy()
        displayed[paper.TASK_NAMES[task]] = {
            "pixels below one level, lost": f"{(difference < 1).mean():.3f}",
            "pixels that wrap around": f"{(np.floor(difference) * GAIN >= LEVELS).mean():.3f}",
            "correlation of darkness and difference": mean_with_interval(pd.Series(honest)),
        }
pd.DataFrame(displayed) if displayed else None

# %% [markdown]
# All other figures here show ink in proportion to the difference.
#
# ## All errors
#
# The paper's Figure 8 shows all {paper}`f8.subject.images` errors of its identity network.

# %% mystnb={"figure": {"name": "fig-tracked-identity", "caption": "Misclassified images of the first task, each with its tracked features at its right (published cutoff; the paper's Figure 8). Above each: the true class > the one it was taken for."}, "image": {"alt": "Many small faces, each beside its map of ink: dark arcs and spots at the hair, the outline and in the corners."}}
chapter.gallery(tracked[first], "cutoff")

# %% mystnb={"figure": {"name": "fig-tracked-identity-more", "caption": "More misclassified images of the first task, each with its tracked features at its right."}, "image": {"alt": "Many small faces, each beside its map of ink."}}
chapter.gallery(tracked[first], "cutoff", page=1)

# %% mystnb={"figure": {"name": "fig-tracked-emotion", "caption": "Misclassified images of the second task, each with its tracked features at its right (published cutoff). Above each: the true class > the one it was taken for."}, "image": {"alt": "Many small faces, each beside its map of ink: dark spots, most of them about eyes, brows and mouth."}}
chapter.gallery(tracked[study.tasks[-1]], "cutoff", size=80) if len(runs) > 1 else None

# %% [markdown]
# ## Where the features lie
#
# The cameras stand still, so faces of one angle coincide and can be averaged.

# %% mystnb={"figure": {"name": "fig-average-features", "caption": "Mean of the misclassified images by camera angle. Below it the mean ink of the features tracked with the published cutoff, with the same number of random active cells, and of the deconvolution of all maps, each on its own scale. Outlines: eyes, nose, cheeks and mouth in most of the images."}, "image": {"alt": "Mean faces by angle, and three rows of mean ink below them. In all three rows the darkest places lie outside the outlines: in the corners, beside the face and below the mouth."}}
chapter.average_features(tracked[first], regions)

# %% [markdown]
# For synthetic faces the renderer knows which part of the face each pixel shows. The density of a
# region is its share of the ink over its share of the area; evenly spread ink has density 1
# everywhere. Beside the tracked features stand the controls, the activation of the last maps itself,
# and the gradient of the predicted class's logit, which says on which pixels the answer depends.
# Intervals are 95 % bootstrap intervals over images.

# %%
densities = averages(by_error, ["set", "region"], "density")
shown = densities.pivot(index="region", columns="set", values="text")
shown = shown.reindex(index=list(regions), columns=list(chapter.SETS))
shown = shown.rename(columns=chapter.SETS).rename_axis(index=None, columns=None)
shown = shown.dropna(how="all")
shown if len(shown) else None

# %%
why = chapter.why_there(tracked[first], regions, by_error)
Markdown(why) if why else None

# %% [markdown]
# Does the crop decide this? The source `synthetic:crop=head` shows the whole head on white. We
# judge the networks of each crop by the rule of claim F8 (below). The table says in how many
# networks each statement holds, with the mean over networks and its 95 % interval; the last rows
# have means ± standard deviations.

# %%
crops = chapter.crop_table(profile)
crops if len(crops) else None

# %%
numbers = chapter.region_numbers(by_error)
record_numbers({f"f8.{first}.{name}": number for name, number in numbers.items()})

# %% [markdown]
# ## What may be concluded, and what may not
#
# We judge claims over networks that differ in their seed, by rules that were written before these
# networks were trained.

# %%
conclude(study, "A2", "F8")

# %% [markdown]
# - More ink on these four parts than an even spread gives would not show that they were selected:
#   ink of random cells, or of all cells, has to lie somewhere, too. Compare the three.
# - A picture that looks the same with random cells shows what the network's maps contain, and not why
#   it erred.
# - Ink in a region does not show that the decision changes without it. The case studies,
#   {doc}`07_subject_40` and {doc}`08_eight_emotions`, suppress cells and ask the network again.
#
# ## Exercises
#
# 1. Draw random cells twice. How alike are the two pictures of one error?

# %% tags=["hide-cell"]
part = tracked[first]
cells = [random_pixels(part.trace.maps, counted(part.pixels["cutoff"]), n) for n in (1, 2)]
pictures = [style.strength(track_features(part.trace, each)) for each in cells]
Markdown(f"Their mean correlation is {correlations(*pictures).nanmean():.3f}.")

# %% [markdown]
# 2. Track one cell only, that with the largest activation. On what share of the picture does its ink
#    lie, and how much of the ink of all maps is it?

# %% tags=["hide-cell"]
one = style.strength(track_features(part.trace, top_pixels(part.trace.maps, 1)))
area, share = chapter.area_of_ink(one).nanmean(), one.sum() / part.ink["whole"].sum()
Markdown(f"90 % of it lies on {area:.1%} of the picture. It is {share:.1%} of the ink of all maps.")
