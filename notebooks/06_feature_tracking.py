# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Feature tracking
#
# Backtracking gives cells of the last maps, and deconvolution shows what maps stand for in the
# image. The paper combines the two. It sets the backtracked cells to zero. What then disappears
# from the deconvolved image it calls the *tracked features* that led to the error. In its pictures
# they lie on eyes, nose, cheeks and mouth. Do they? And do random cells give other pictures?

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
from tinyvgg.chapters.verdicts import conclude, endings, record_numbers
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.tracking import suppress, track_features
from tinyvgg.training.experiments import open_study

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
runs = {task: study.run(task) for task in study.tasks}
first = study.tasks[0]
endings(*runs.values())

# %%
followed = {task: follow_errors(run, seed) for task, run in runs.items()}
tracked = {task: chapter.track(run, followed[task], seed) for task, run in runs.items()}
tables = {task: chapter.tracked_table(part) for task, part in tracked.items()}
regions = {task: chapter.find_regions(part) for task, part in tracked.items()}
by_error = {task: chapter.region_table(part, regions[task]) for task, part in tracked.items()}
lines = []
for task, table in tables.items():
    alike = table.groupby("set")["with_whole"].mean().dropna()
    on = by_error[task].groupby(["set", "region"])["density"].mean().dropna()
    own, drawn = (on.get((name, chapter.TOGETHER)) for name in ("cutoff", "random"))
    if {"cutoff", "random"} <= set(alike.index):
        lines.append(
            f"For {paper.TASK_NAMES[task]}, the tracked features (published cutoff) correlate by"
            f" {alike['cutoff']:.2f} with the deconvolution of all maps, those of the same number"
            f" of random cells by {alike['random']:.2f}."
        )
    if own is not None and drawn is not None:
        lines.append(
            f"Eyes, nose, cheeks and mouth have {own:.2f} times the ink (absolute values) of an even"
            f" spread, {'more' if own > drawn else 'less'} than random cells give them"
            f" ({drawn:.2f})."
        )
Markdown(f"> **What came out.** {' '.join(lines)}") if lines else None

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
pairs = zip(looped, packaged, strict=True)
same = [bool((a[0] - b).abs().max() <= 1e-5 * b.max()) for a, b in pairs]
agreed = style.share_in_words(sum(same), len(same))
Markdown(f"The loop gives the package's features for {agreed}.")

# %% [markdown]
# ## What the rules track
#
# Which cells decide what the pictures show? We compare the features of the cells that the cutoff of
# the published code finds with three others: the deconvolution of all maps, the features of the same
# number of cells with the *largest* activations, and those of the same number of *random* active
# cells. The table has means over the errors. Correlations are over the pixels of each image; in
# brackets is a 95 % interval.

# %%
summary = chapter.tracked_summary(tables)
summary if len(summary) else None

# %%
said = []
for task, table in tables.items():
    found = chapter.tracked_numbers(tracked[task], table) if len(table) else {}
    record_numbers({f"a2.{task}.{name}": number for name, number in found.items()})
    own = table[table["set"] == "cutoff"][["with_whole", "with_largest", "with_random"]].mean()
    left = int((table["left"][table["set"] == "literal"] > 0).sum())
    printed = "no active cell, so that it tracks the deconvolution of all maps"
    if left:
        of = style.share_in_words(left, len(tracked[task]))
        printed = f"active cells in {of}; in the others it tracks the deconvolution of all maps"
    if own.notna().all():
        closest = ("all maps", "the largest activations", "random cells")[own.argmax()]
        said.append(
            f"For {paper.TASK_NAMES[task]}, the features of the cutoff are most like those of"
            f" {closest} (correlation {own.max():.3f}). The *printed* rule leaves {printed}."
        )
Markdown(" ".join(said)) if said else None

# %% [markdown]
# ### The published display
#
# The published code does not show the difference itself. It turns both deconvolutions gray, keeps
# whole gray levels of their difference, multiplies these by {paper}`a2.both.code_gain`, wraps around
# at {paper}`a2.both.code_levels`, and inverts. So larger differences go round like a clock's hand, and
# a strong feature can look lighter than a weak one. The scale of its deconvolutions is not known;
# ours is that of 8-bit images. Does the darkness still follow the difference?

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


# %% mystnb={"figure": {"name": "fig-feature-sets", "caption": "Misclassified images, and from left to right the ink of: the features tracked with the published cutoff; those of the same number of active cells, largest and random; the deconvolution of all maps; and the features of the cutoff as the published code displays them. In all but the last column white is no ink, black the most of the image (mean absolute value over the colours)."}, "image": {"alt": "Each row has a face and five maps of ink, the last of them in the published display."}}
published, _ = display(tracked[first])
chapter.feature_sets(tracked[first], published)

# %%
said = []
for task, part in tracked.items():
    if len(part):
        shown, difference = display(part)
        darkness = torch.from_numpy(255.0 - shown)
        alike = float(correlations(darkness, torch.from_numpy(difference)).nanmean())
        follows = "mostly" if alike > 0.7 else "partly" if alike > 0.3 else "hardly"
        said.append(
            f"For {paper.TASK_NAMES[task]}, {(difference < 1).mean():.0%} of the pixels are lost below"
            f" one level, and {(np.floor(difference) * GAIN >= LEVELS).mean():.0%} wrap around. The"
            f" darkness {follows} follows the difference (correlation {paper.show(alike, 'share')})."
        )
Markdown(" ".join(said)) if said else None

# %% [markdown]
# ## All errors
#
# The paper's Figure 8 shows all {paper}`f8.subject.images` errors of its identity network, and judges
# by eye where the features lie. Here are ours; the next section measures it.

# %% mystnb={"figure": {"name": "fig-tracked-identity", "caption": "Misclassified images of the first task, each with its tracked features at its right (published cutoff; the paper's Figure 8). Above each: the true class > the one it was taken for."}, "image": {"alt": "Many small faces, each beside its map of ink."}}
chapter.gallery(tracked[first], "cutoff")

# %% mystnb={"figure": {"name": "fig-tracked-identity-more", "caption": "More misclassified images of the first task, each with its tracked features at its right."}, "image": {"alt": "Many small faces, each beside its map of ink."}}
chapter.gallery(tracked[first], "cutoff", page=1)

# %% mystnb={"figure": {"name": "fig-tracked-emotion", "caption": "Misclassified images of the second task, each with its tracked features at its right (published cutoff). Above each: the true class > the one it was taken for."}, "image": {"alt": "Many small faces, each beside its map of ink."}}
chapter.gallery(tracked[study.tasks[-1]], "cutoff", size=80) if len(runs) > 1 else None

# %% [markdown]
# ## Where the features lie
#
# The cameras stand still, so faces of one angle coincide and can be averaged.

# %% mystnb={"figure": {"name": "fig-average-features", "caption": "Mean of the misclassified images by camera angle. Below it the mean ink of the features tracked with the published cutoff, with the same number of random active cells, and of the deconvolution of all maps, each on its own scale. Outlines: eyes, nose, cheeks and mouth in most of the images."}, "image": {"alt": "Mean faces by angle, and three rows of mean ink below them. Outlines mark eyes, nose, cheeks and mouth."}}
chapter.average_features(tracked[first], regions[first])

# %% [markdown]
# For synthetic faces the renderer knows which part of the face each pixel shows. The *density* of a
# region is its share of the ink over its share of the area: 1 if ink is spread evenly. Beside the
# sets of cells stand the activation of the last maps, and the gradient of the predicted class's
# logit, which says on which pixels the answer depends. In brackets is a 95 % bootstrap interval over
# images. A rule selects a part of the face only if its cells put more ink there than random ones.

# %%
rows = {}
for task, table in by_error.items():
    for row in averages(table, ["set", "region"], "density").itertuples():
        if row.set != "literal" and row.region != "face":
            place = paper.TASK_NAMES[task], row.region
            shown = row.text if row.set == "cutoff" else f"{row.mean:.2f}"
            rows.setdefault(place, {})[chapter.SETS[row.set]] = shown
pd.DataFrame.from_dict(rows, orient="index").rename_axis(["task", "part"]) if rows else None

# %%
said = [chapter.on_background(task, table) for task, table in by_error.items()]
Markdown(" ".join(said)) if any(said) else None

# %% [markdown]
# Does the crop decide this? The source `synthetic:crop=head` shows the whole head on white. The
# table judges the networks of each crop by the rule of claim F8 (below): means over networks with
# 95 % intervals, and in how many networks they are as asserted. The last rows have means ± standard
# deviations.

# %%
crops = chapter.crop_table(profile)
crops if len(crops) else None

# %%
numbers = chapter.region_numbers(by_error[first])
record_numbers({f"f8.{first}.{name}": number for name, number in numbers.items()})
same = len(crops) and crops.loc["verdict on F8"].nunique() == 1
Markdown(
    "On eyes, nose, cheeks and mouth together the ink of an identity error is"
    f" {' and '.join(cell.partition(' (')[0] for cell in crops.iloc[1])} times that of an even spread"
    f" with the two crops. So the crop {'does not change' if same else 'changes'} the verdict."
) if len(crops) else None

# %% [markdown]
# ## What may be concluded, and what may not
#
# We judge claims over networks that differ in their seed, by rules that were written before these
# networks were trained.

# %%
conclude(study, "A2", "F8")

# %% [markdown]
# - Ink has to lie somewhere. Ink on a part of the face shows that the rule selects this part only if
#   random cells put less there.
# - A picture that random cells give as well shows what the maps contain, not why the network erred.
# - Pixels are divided by {paper}`p1.both.code_scale` and not centred, so white is a large input, and
#   maps may be active over a white background for that reason. The networks of both tasks see the
#   same background. Where their ink differs there, what they have learned is the likely reason.
# - Ink in a region does not show that the decision changes without it. The case studies,
#   {doc}`07_subject_40` and {doc}`08_eight_emotions`, suppress cells and ask the network again.
#
# ## Exercises
#
# Draw random cells twice. How alike are the two pictures of one error?

# %% tags=["hide-cell"]
part = tracked[first]
cells = [random_pixels(part.trace.maps, counted(part.pixels["cutoff"]), n) for n in (1, 2)]
pictures = [style.strength(track_features(part.trace, each)) for each in cells]
Markdown(f"Their mean correlation is {correlations(*pictures).nanmean():.3f}.")
