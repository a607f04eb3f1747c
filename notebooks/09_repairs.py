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
# # How few cells undo an error?
#
# Both case studies of the paper set elements of the last feature maps to zero (*cells* here,
# pixels in the paper) and look at the answer. They do not ask the question of this chapter: what
# is the *smallest* set of cells without which a wrong answer becomes right?

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import pandas as pd
import torch
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import repairs as findings
from tinyvgg.chapters.backtracking import random_classes
from tinyvgg.chapters.bench import repair_bench
from tinyvgg.chapters.cases import RULES, find_cases, pixel_sets, record_pairs
from tinyvgg.chapters.statistics import digest, estimate, proportion_interval
from tinyvgg.chapters.style import in_words, share_in_words
from tinyvgg.chapters.verdicts import endings, mean_with_interval, record_numbers
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.repairs import repair, smallest_repair
from tinyvgg.tracking import rescore
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
runs = {task: study.run(task) for task in study.tasks}
pairs = {task: record_pairs(run, find_cases(run)) for task, run in runs.items()}
pairs = {task: part for task, part in pairs.items() if len(part)}

# %% tags=["open"]
repairs = {task: (part, repair(part.wrong, part.labels)) for task, part in pairs.items()}

# %%
points = {task: findings.set_points(part) for task, part in pairs.items()}


def told(task, part, found):
    """Say how many errors are repaired, and by how many cells."""
    size, active = found.size[found.repaired], (part.wrong.maps > 0).flatten(1).sum(1)
    unique = points[task].set_index("chosen").loc["unique, cutoff"]
    common = (pixel_sets(part, RULES["cutoff"]).common & found.pixels).sum() / found.size.sum()
    errors = share_in_words(len(size), len(found), f"{paper.TASK_NAMES[task]} error")
    return (
        f"A few cells at zero repair {errors}: on average {size.double().mean():.1f} of"
        f" {active.double().mean():.0f} active ones. One cell is enough for"
        f" {int((size == 1).sum())} of them. Of all cells in these sets {common:.0%} are common to"
        " an error and its look-alike. The paper's unique cells,"
        f" {unique['pixels']:.0f} on average, repair {in_words(int(unique['repaired']), 'error')}."
    )


lines = [told(task, *found) for task, found in repairs.items() if found[1].repaired.any()]
Markdown(f"> **What came out.** {' '.join(lines)}") if lines else None

# %%
endings(*runs.values())

# %% [markdown]
# ## The rules
#
# A *rule* decides which cells belong to a class. $a_0$ are the cells and $a_1, \dots, a_n$ the
# activations of the dense layers, $W_1, \dots, W_n, W_o$ their weights, and $z$ the logits. The
# network gave class $k$, and $t$ is the true class.
#
# | rule | keeps cell $r$ where | is blind to |
# | --- | --- | --- |
# | `Literal()` | $a_0[r]\,W_1[r,i] > 0$ for some kept neuron $i$ | the size of a product; in practice the class |
# | `Cutoff()` | some such product exceeds the image's percentile | the class, where all classes keep the same neurons |
# | `published()` | as `Cutoff()`, but of equal products only the first counts | the same |
# | `Contribution()` | $a_0[r]\,\partial z_k/\partial a_0[r] > 0$ | what the cell adds to other classes |
# | `Contrastive(t)` | $a_0[r]\,\partial(z_k - z_t)/\partial a_0[r] > 0$ | third classes, which may win instead |
# | `top=m` of these two | it is among the $m$ largest | what $m$ cells do together |
# | `repair(trace, t)` | it is in the smallest set found without which $t$ wins | other sets as small |
#
# `Contrastive(t)` and `repair` know the true class, which the network does not. They explain an
# error afterwards and cannot correct one.
#
# Two methods show cells in the image. Methods of other libraries explain the image directly:
#
# | method | shows | is blind to |
# | --- | --- | --- |
# | `deconvolve` | where in the image the values of some maps came from | the class and the dense layers |
# | `track_features` | what a set of cells adds to that | how much the set matters to the answer |
# | gradient times input, $\varepsilon$-LRP {cite:p}`bach2015` | the shares of image pixels in a logit | what changes when ReLUs switch |
# | guided backpropagation {cite:p}`springenberg2015` | edges that excite units | much of the class {cite:p}`adebayo2018` |
# | Grad-CAM {cite:p}`selvaraju2017` | where in the last maps a class is seen | single maps, and anything finer than these |
#
# ## How many errors are repaired
#
# We take the misclassified test images that have a right look-alike. We rank the cells of each,
# set the first $m$ to zero, and classify the image again. Beside the rankings the figure has the
# paper's two sets, and the share of errors whose repair set has at most $m$ cells.

# %%
curves = {task: findings.curve_table(part, found, seed) for task, (part, found) in repairs.items()}

# %% mystnb={"figure": {"name": "fig-repair-curves", "caption": "Share of errors that are repaired (vertical) when a number of cells of the last maps (horizontal) is set to zero, by how the cells are chosen: the repair sets (red, broad), largest contrastive contribution (blue), contribution to the wrong logit (green, dashed), largest activation (purple, dots and dashes), and active cells at random (gray, dotted). Bands are Wilson's 95 % intervals. Squares and circles are the paper's unique and common sets at their mean size, filled under the published cutoff, open under the literal rule."}, "image": {"alt": "One panel a task. The curve of the repair sets is the highest, the contrastive one comes next, and random cells repair few errors. The marks of the paper's sets lie to the right, below the curve of the repair sets."}}
findings.curves_figure(curves, points) if repairs else None

# %% [markdown]
# The same in numbers, with 95 % intervals: first the rankings, then the paper's sets.


# %%
def tabled(rows, *names):
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(names) if rows else None


rows, sets = {}, {}
for task, table in curves.items():
    some = pd.concat([table[table["pixels"].isin((1, 4, 32))], points[task]])
    for row in some.to_dict("records"):
        place, size = (paper.TASK_NAMES[task], row["chosen"]), row["pixels"]
        share = f"{row['share']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
        if row["chosen"] in findings.LINES:
            rows.setdefault(place, {})[in_words(int(size))] = share
        else:
            sets[place] = {"mean cells": f"{size:.1f}", "errors repaired": share}
tabled(rows, "task", "chosen")

# %%
tabled(sets, "task", "chosen")

# %% [markdown]
# ## The smallest sets
#
# `repair` is greedy. Of the cells with the largest contrastive contributions it suppresses the one
# that brings the true class nearest to winning, classifies the image again, and so on until the
# answer is right. Then it gives back cells, one, two and more at a time, as long as the answer
# stays right. A set is *certainly minimal* if all of its parts were tried and none repairs. Even
# then another set may be smaller. So the last column tries *all* sets of the few most contrastive
# cells, and counts the errors that a smaller one repairs. Means have 95 % intervals.


# %%
def sizes(found):
    """Return how many are repaired, and the mean and the median size of their sets."""
    cells = pd.Series(found.size[found.repaired].double().numpy())
    repaired, median = f"{len(cells)} of {len(found)}", paper.show(cells.median(), "")
    return {"repaired": repaired, "mean cells": mean_with_interval(cells), "median": median}


candidates, rows = 10, {}
for task, (part, found) in repairs.items():
    shares = contributions(part.wrong, None, against=part.labels)
    best = smallest_repair(part.wrong, part.labels, top_pixels(shares, candidates))
    rows[paper.TASK_NAMES[task]] = {
        **sizes(found),
        "most": max(found.size[found.repaired].tolist(), default=paper.NOTHING),
        "certainly minimal": int(found.minimal.sum()),
        f"smaller set of {candidates} cells": int(((best > 0) & (best < found.size)).sum()),
    }
tabled(rows, "task")

# %% mystnb={"figure": {"name": "fig-repair-examples", "caption": "The errors of the last task with the smallest repair sets. First row: the misclassified image. Second: what the cells of its repair set show in the image (tracked features, from white to the largest value of each). Third: its right look-alike."}, "image": {"alt": "Up to six columns: a face, a dark trace of a few of its features, and a similar face."}}
figures = [findings.examples_figure(runs[task], *found) for task, found in repairs.items()]
figures[-1] if figures else None

# %% [markdown]
# Can you find such a set yourself? Guess first how many cells it takes.

# %%
repair_bench(runs[study.tasks[0]])

# %% [markdown]
# ## Would any class do?
#
# Perhaps a few cells change any answer to any other. There are two controls: the same search from
# the error to a random class, neither true nor given, and from the right look-alike to the class
# that the error was taken for. If any class were as near, they would take as few cells.

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
        for name, found in searches.items():
            reached, *others = sizes(found).items()
            rows[paper.TASK_NAMES[task], name] = {"reached": reached[1], **dict(others)}
tabled(rows, "task", "from and to")

# %% [markdown]
# ## Common or unique?
#
# The paper finds that cells unique to an error repair it, and that common ones matter little. Then
# repair sets should lie among the unique cells. The table has the share of their cells that are
# common, unique or neither. In brackets is that of all active cells, as random sets would have.

# %%
rows, lies = {}, {}
for task, (part, found) in repairs.items():
    active = part.wrong.maps > 0
    for rule, how in RULES.items():
        sets = pixel_sets(part, how)
        parts = {"common": sets.common, "unique": sets.unique, "neither": ~sets.wrong}
        counts = {name: int((cells & found.pixels).sum()) for name, cells in parts.items()}
        lies[task, rule] = counts
        rows[paper.TASK_NAMES[task], rule] = {
            f"{name} (active)": f"{counts[name] / found.pixels.sum():.2%}"
            f" ({(cells & active).sum() / active.sum():.2%})"
            for name, cells in parts.items()
        }
tabled(rows, "task", "rule")

# %% [markdown]
# Does the right image need the same cells? We set them to zero, by position, in the look-alike:

# %%
harmed = {
    task: int((rescore(part.right, found.pixels).argmax(1) != part.right.predicted).sum())
    for task, (part, found) in repairs.items()
}
said = [
    f"{count} of {len(pairs[task])} for {paper.TASK_NAMES[task]} (95 % interval"
    f" {paper.show_interval(proportion_interval(count, len(pairs[task])), 'percent')})"
    for task, count in harmed.items()
]
Markdown(f"Look-alikes whose answer changes: {' and '.join(said)}.") if said else None

# %%
for task, (_, found) in repairs.items():
    share_of = pd.Series(lies[task, "cutoff"], dtype=float) / int(found.pixels.sum())
    recorded = {
        "repair_sets": int(found.repaired.sum()),
        "repair_pixels": estimate(found.size[found.repaired]),
        "repair_single": int((found.repaired & (found.size == 1)).sum()),
        "repair_common": share_of["common"],
        "repair_unique": share_of["unique"],
        "repair_harmed": harmed[task],
        "repair_digest": digest(found.pixels),
    }
    claim = "s4" if task == "emotion" else "s3"
    record_numbers({f"{claim}.{task}.{name}": value for name, value in recorded.items()})

# %% [markdown]
# ## What may be concluded, and what may not
#
# - A set that repairs may owe this to a few of its cells. That the paper's sets repair some errors
#   says little about the rule that chose them.
# - A common cell that repairs is active in both images. It is not its being active that makes one
#   of them wrong, but its value, together with those of the other cells.
# - A small repair set shows that the image lies near a border between two classes. It does not show
#   a cause in the world: the network has never seen maps with cells set to zero.
# - Sets are the smallest *found*. A part of a set may suffice if the set is not certainly minimal,
#   and other sets may be as small or smaller.
#
# ## Exercises
#
# 1. How much is enough? Multiply the cells of the repair sets by a number from zero to one, and
#    count the errors that are still repaired.
# 2. Is it always the same cell? Count the repair sets that each cell is in.

# %% tags=["hide-cell"]
kept = {}
for factor in (0.0, 0.25, 0.5, 0.75):
    for task, (part, found) in repairs.items():
        logits = rescore(part.wrong, found.pixels, factor * part.wrong.maps)
        right = (logits.argmax(1) == part.labels).sum()
        kept.setdefault(paper.TASK_NAMES[task], {})[factor] = int(right)
pd.DataFrame(kept).rename_axis("times its value") if kept else None

# %% tags=["hide-cell"]
often = {}
for task, (_, found) in repairs.items():
    counts, places = found.pixels.sum(0).flatten().topk(3)
    where = zip(*torch.unravel_index(places, found.pixels.shape[1:]), strict=True)
    for count, (m, y, x) in zip(counts.tolist(), where, strict=True):
        often[paper.TASK_NAMES[task], f"map {m}, row {y}, column {x}"] = f"{count} of {len(found)}"
pd.Series(often, name="repair sets").rename_axis(["task", "cell"]).to_frame() if often else None
