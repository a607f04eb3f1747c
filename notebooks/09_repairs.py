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
# # How few pixels undo an error?
#
# Both case studies take pixels away and look at the answer. This chapter, which has no counterpart
# in the paper, turns the question round: *which* pixels have to go, at least, for a wrong answer to
# become right? It
#
# - sets the rules of backtracking beside each other: what each needs, costs and is blind to;
# - measures how many errors each way of ranking pixels repairs, for every number of pixels;
# - finds for each error the smallest set of pixels that repairs it, and checks how small it is;
# - asks where these pixels lie among those that the paper calls common and unique.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import pandas as pd
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import repairs as findings
from tinyvgg.chapters.backtracking import random_classes
from tinyvgg.chapters.bench import repair_bench
from tinyvgg.chapters.cases import RULES, find_cases, pixel_sets, record_pairs
from tinyvgg.chapters.statistics import digest, estimate, proportion_interval
from tinyvgg.chapters.verdicts import endings, mean_with_interval, record_numbers
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.repairs import repair, smallest_repair
from tinyvgg.tracking import rescore
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
runs = {task: study.run(task) for task in study.tasks}
pairs = {task: record_pairs(run, find_cases(run)) for task, run in runs.items()}

# %% tags=["open"]
repairs = {task: (part, repair(part.wrong, part.labels)) for task, part in pairs.items()}

# %%
lines = [
    f"{int(found.repaired.sum())} of {len(found)} {paper.TASK_NAMES[task]} errors become right"
    f" once {found.size[found.repaired].double().mean():.1f} pixels on average, of"
    f" {(part.wrong.maps > 0).flatten(1).sum(1).double().mean():.0f} active ones, are set to zero;"
    f" for {int((found.size[found.repaired] == 1).sum())} of them one pixel is enough"
    for task, (part, found) in repairs.items()
    if found.repaired.any()
]
Markdown(f"> **What came out.** {'. '.join(lines)}.") if lines else None

# %%
endings(*runs.values())

# %% [markdown]
# ## The rules
#
# A *rule* decides which pixels of the last maps belong to a class. With activations $a_0$ (the
# pixels), $a_1, \dots, a_n$, weights $W_1, \dots, W_n, W_o$, logits $z$, the class $k$ that was
# given and the true class $t$:
#
# | rule | keeps pixel $r$ where | needs | costs | is blind to |
# | --- | --- | --- | --- | --- |
# | `Literal()` | $a_0[r]\,W_1[r,i] > 0$ for some kept neuron $i$ | the dense layers | a product of 0/1 matrices a layer | the size of a product; in practice the class |
# | `Cutoff()` | some such product exceeds the image's percentile | the same, two parameters | a look at every edge of the first dense layer | the class, as far as the neurons above are kept whatever it is |
# | `published()` | as `Cutoff()`, and the first with that value | the same | a sort of the products besides | the same, and equal products |
# | `Contribution()` | $a_0[r]\,\partial z_k/\partial a_0[r] > 0$ | the dense layers | one pass back through them | what the pixel adds to other classes |
# | `Contrastive(t)` | $a_0[r]\,\partial(z_k - z_t)/\partial a_0[r] > 0$ | the true class | one pass back | third classes, which may win instead |
# | `top=m` of the last two | and is among the $m$ largest | a number of pixels | a sort besides | what $m$ pixels do together |
# | `repair(trace, t)` | it is in the smallest set found without which $t$ wins | the true class | a pass a pixel, then combinations | other sets as small |
#
# `Contrastive(t)` and `repair` know the true class, which the network did not. What they find
# explains an error afterwards; it is no way to classify.
#
# Two methods carry pixels to the image, and other libraries explain the image directly:
#
# | method | shows | needs | costs | is blind to |
# | --- | --- | --- | --- | --- |
# | `deconvolve` | where in the image the values of some maps came from | switches of a recorded pass | one pass back through the convolutions | the class and the dense layers |
# | `track_features` | what a set of pixels adds to that | a set | two such passes | how much the set matters to the answer |
# | gradient times input, $\varepsilon$-LRP {cite:p}`bach2015` | the shares of image pixels in a logit | the whole network | a pass forward and back | what changes when ReLUs switch |
# | guided backpropagation {cite:p}`springenberg2015` | edges that excite units | the whole network | a pass forward and back | much of the class {cite:p}`adebayo2018` |
# | GradCAM {cite:p}`selvaraju2017` | where in the last maps a class is seen | the last maps | a pass forward, one back through the head | single maps, and anything finer than these |
#
# ## Pixels and repairs
#
# Take the misclassified test images that have a right look-alike. Rank the pixels of each, set the
# first $m$ to zero, and classify the image again. The figure shows the rankings beside the paper's
# two sets, at their mean size, and beside the repair sets: the share of errors that have one of at
# most $m$ pixels.

# %%
curves = {task: findings.curve_table(part, found, seed) for task, (part, found) in repairs.items()}
points = {task: findings.set_points(part) for task, part in pairs.items()}

# %% mystnb={"figure": {"name": "fig-repair-curves", "caption": "Share of the errors of this run that are repaired when so many pixels of the last maps are set to zero, by how they are chosen: the repair sets (red, broad), largest contrastive contribution (blue), contribution to the wrong logit (green, dashed), largest activation (purple, dots and dashes), and active ones at random (gray, dotted), with Wilson's 95 % intervals. Squares and circles are the paper's unique and common sets at their mean size, filled under the published cutoff, open under the literal rule."}, "image": {"alt": "One panel for each task: the share of errors repaired against the number of pixels suppressed, a curve for each way of choosing them, and four marks for the sets of the paper."}}
findings.curves_figure(curves, points)

# %% [markdown]
# The same for some numbers of pixels, and for the paper's sets, whose mean number of pixels stands
# before their share:

# %%
columns = {}
for task, table in curves.items():
    every = pd.concat([table[table["pixels"].isin((1, 4, 32))], points[task]])
    cells = {}
    for row in every.to_dict("records"):
        words = f"{row['share']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
        curve = row["chosen"] in findings.LINES
        size = f"{row['pixels']:.0f}" if curve else "its own"
        cells[row["chosen"], size] = words if curve else f"{row['pixels']:.4g}: {words}"
    columns[paper.TASK_NAMES[task]] = cells
pd.DataFrame(columns).rename_axis(["chosen", "pixels"])

# %% [markdown]
# ## The smallest sets
#
# `repair` is greedy: among the pixels with the largest contrastive contributions it suppresses the
# one that brings the true class nearest, classifies the image again, and goes on until the answer
# is right. Then it restores pixels, one, two and more at a time, wherever the answer stays right. A
# set is *certainly minimal* where all of its parts were tried and none repairs.


# %%
def sizes(found):
    """Return the mean and the median size of the sets that repair."""
    pixels = pd.Series(found.size[found.repaired].double().numpy())
    median = f"{pixels.median():g}" if len(pixels) else paper.NOTHING
    return {"mean pixels": mean_with_interval(pixels), "median": median}


rows = {}
for task, (part, found) in repairs.items():
    active = (part.wrong.maps > 0).flatten(1).sum(1)
    share = float((found.size / active).double().mean())
    rows[paper.TASK_NAMES[task]] = {
        "errors": len(found),
        "repaired": int(found.repaired.sum()),
        **sizes(found),
        "most": max(found.size[found.repaired].tolist(), default=paper.NOTHING),
        "of active pixels": paper.show(share, "percent"),
        "certainly minimal": int(found.minimal.sum()),
    }
pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")

# %% mystnb={"figure": {"name": "fig-repair-sizes", "caption": "Number of pixels in the repair sets of the errors of this run."}, "image": {"alt": "Bar charts of the sizes of repair sets, one panel for each task."}}
findings.sizes_figure(repairs)

# %% [markdown]
# How far is the greedy search from the optimum? Among the most contrastive pixels of each error, as
# many as the table's title says, we try *all* sets. A set of ours may still be smaller, since it
# may use pixels that are not among these.

# %%
candidates, rows = 10, {}
for task, (part, found) in repairs.items():
    shares = contributions(part.wrong, None, against=part.labels)
    smallest = smallest_repair(part.wrong, part.labels, top_pixels(shares, candidates))
    gap = (found.size - smallest)[(smallest > 0) & found.repaired]
    rows[paper.TASK_NAMES[task]] = {
        "errors": len(found),
        "repaired by some part": int((smallest > 0).sum()),
        "ours as small": int((gap == 0).sum()),
        "ours smaller": int((gap < 0).sum()),
        "ours larger": int((gap > 0).sum()),
        "largest gap": max(gap.tolist(), default=0),
    }
pd.DataFrame(rows).T.rename_axis(f"of {candidates} pixels")

# %% mystnb={"figure": {"name": "fig-repair-examples", "caption": "The errors of the last task of this run with the smallest repair sets. First row: the misclassified image; second: what the pixels of its repair set show in the image (tracked features, from white to the largest value of each); third: its right look-alike."}, "image": {"alt": "Up to six columns: a face, a small dark trace of some of its features, and a similar face."}}
task = study.tasks[-1]
findings.examples_figure(runs[task], *repairs[task])

# %% [markdown]
# Can you find such a set yourself? Guess first how many it takes.

# %%
repair_bench(runs[study.tasks[0]])

# %% [markdown]
# ## Would any class do?
#
# A few pixels may be enough to turn an image into anything. Two controls: the same search for a
# class at random, neither the true nor the given one; and the way back, from the right look-alike
# to the class that the error was taken for.

# %%
rows = {}
for task, (part, found) in repairs.items():
    if part.wrong.network.classes > 2:
        other = random_classes(part.wrong, part.labels, seed)
        searches = {
            "error to its true class": found,
            "error to a random class": repair(part.wrong, other),
            "right look-alike to the same wrong class": repair(part.right, part.wrong.predicted),
        }
        for name, sets in searches.items():
            reached = {"images": len(sets), "reached": int(sets.repaired.sum())}
            rows[paper.TASK_NAMES[task], name] = {**reached, **sizes(sets)}
index = pd.MultiIndex.from_tuples(list(rows), names=["task", "from and to"])
table = pd.DataFrame(list(rows.values()), index=index)
table if len(table) else None

# %% [markdown]
# ## Common or unique?
#
# The paper finds that pixels unique to an error repair it and that the common ones matter little.
# If so, repair sets should lie among the unique pixels. In brackets is the share of all active
# pixels that lie there, which a set drawn at random would have.


# %%
def percent(count, of):
    """Print a share, a dash where there is nothing to share."""
    return paper.show(count / of if of else None, "percent")


rows, lies = {}, {}
for task, (part, found) in repairs.items():
    active = part.wrong.maps > 0
    for rule, how in RULES.items():
        sets = pixel_sets(part, how)
        parts = {"common": sets.common, "unique": sets.unique, "neither": ~sets.wrong}
        counts = {name: int((pixels & found.pixels).sum()) for name, pixels in parts.items()}
        lies[task, rule] = counts
        rows[paper.TASK_NAMES[task], rule] = {
            f"{name} (active)": f"{percent(counts[name], int(found.pixels.sum()))}"
            f" ({percent(int((pixels & active).sum()), int(active.sum()))})"
            for name, pixels in parts.items()
        }
pd.DataFrame(rows).T.rename_axis(["task", "rule"])

# %% [markdown]
# Does the right image need the same pixels? We set them to zero, by position, in the look-alike:

# %%
harmed = {
    task: int((rescore(part.right, found.pixels).argmax(1) != part.right.predicted).sum())
    for task, (part, found) in repairs.items()
}
rows = {}
for task, count in harmed.items():
    of = len(pairs[task])
    rows[paper.TASK_NAMES[task]] = {
        "look-alikes": str(of),
        "answer changes": str(count),
        "share": percent(count, of),
        "95 % interval": paper.show_interval(proportion_interval(count, of), "percent"),
    }
pd.DataFrame(rows).T.rename_axis("task")

# %%
for task, (part, found) in repairs.items():
    share = pd.Series(lies[task, "cutoff"], dtype=float) / int(found.pixels.sum())
    recorded = {
        "repair_sets": int(found.repaired.sum()),
        "repair_pixels": estimate(found.size[found.repaired]),
        "repair_single": int((found.repaired & (found.size == 1)).sum()),
        "repair_common": share["common"],
        "repair_unique": share["unique"],
        "repair_harmed": harmed[task],
        "repair_digest": digest(found.pixels),
    }
    claim = "s4" if task == "emotion" else "s3"
    if len(part):
        record_numbers({f"{claim}.{task}.{name}": value for name, value in recorded.items()})

# %% [markdown]
# ## What may be concluded, and what may not
#
# - If repair sets are much smaller than the paper's, the paper's sets hold many pixels that the
#   error does not depend on. That they repair some errors then says little about the rule that
#   chose them.
# - If repair sets lie among the common pixels more often than active pixels do, the deciding pixels
#   are active in both images, only stronger in one.
# - A small repair set shows that the image lies near a border between two classes, the nearer the
#   larger the gap to the controls is. It does not show a cause in the world: pixels set to zero
#   are something the network has never seen.
# - Sets are the smallest *found*. For those not certainly minimal a part may suffice, and for all
#   there may be other sets as small, with other pixels.
