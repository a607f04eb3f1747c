# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # How few cells undo an error?
#
# Both case studies of the paper set elements of the last feature maps to zero (*cells* here, pixels
# in the paper) and look at the answer. They do not ask: what is the *smallest* set of cells without
# which a wrong answer becomes right?

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import repairs as findings
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import random_classes
from tinyvgg.chapters.bench import repair_bench
from tinyvgg.chapters.cases import RULES, find_cases, pixel_sets, record_pairs
from tinyvgg.chapters.statistics import bootstrap_interval, digest, estimate, proportion_interval
from tinyvgg.chapters.style import in_words, share_in_words
from tinyvgg.chapters.verdicts import endings, record_numbers
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.repairs import repair, smallest_repair
from tinyvgg.tracking import rescore
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
runs = {task: study.run(task) for task in study.tasks}
pairs = {task: record_pairs(run, find_cases(run)) for task, run in runs.items()}
pairs = {task: part for task, part in pairs.items() if len(part)}
endings(*runs.values())

# %% tags=["open"]
repairs = {task: (part, repair(part.wrong, part.labels)) for task, part in pairs.items()}

# %%
points = {task: findings.set_points(part) for task, part in pairs.items()}


def told(task, part, found):
    """Say how many errors are repaired, and by how many cells."""
    size, active = found.size[found.repaired], (part.wrong.maps > 0).flatten(1).sum(1)
    unique = points[task].set_index("chosen").loc["unique"]
    errors = share_in_words(len(size), len(found), f"{paper.TASK_NAMES[task]} error")
    return (
        f"We could repair {errors}, by setting {size.double().mean():.1f} of"
        f" {active.double().mean():,.0f} active cells to zero on average; one cell is enough for"
        f" {int((size == 1).sum())} of them. Cells unique to the error by the paper's definition,"
        f" {unique['pixels']:.0f} on average, repair {in_words(int(unique['repaired']), 'error')}."
    )


lines = [told(task, *found) for task, found in repairs.items() if found[1].repaired.any()]
Markdown(f"> **What came out.** {' '.join(lines)}") if lines else None


# %% mystnb={"figure": {"name": "fig-few-cells", "caption": "Share of the errors of the last task that become right when cells are set to zero: the best single cell, all cells unique to the error by the paper's definition, and the fewest cells that we found; in brackets their mean number."}, "image": {"alt": "A bar each for one cell, the paper's unique cells, and the fewest cells."}}
def answers(part, found, unique):
    """Draw the share of errors that one cell, the paper's set and the fewest cells repair."""
    size, mean = found.size[found.repaired].double(), unique["pixels"]
    shares = {"one cell": float((size == 1).sum()) / len(part)}
    shares[f"unique cells ({mean:.0f})"] = unique["repaired"] / len(part)
    shares[f"fewest cells ({size.mean():.1f})"] = len(size) / len(part)
    return style.bars(shares, [style.BLUE, style.ORANGE, style.BLUE])


last = [*repairs][-1] if repairs else None
answers(*repairs[last], points[last].set_index("chosen").loc["unique"]) if lines else None

# %% [markdown]
# ## How many errors are repaired
#
# We take the misclassified test images that have a right look-alike. We rank the cells of each, set
# the first $m$ to zero, and classify the image again. Let $a_0$ be the cells and $z$ the logits. The
# network gave class $k$, and $t$ is the true class.
#
# | ranking | scores cell $r$ by | knows the true class |
# | --- | --- | --- |
# | contrastive, `Contrastive(t)` | $a_0[r]\,\partial(z_k - z_t)/\partial a_0[r]$ | yes |
# | contribution, `Contribution()` | $a_0[r]\,\partial z_k/\partial a_0[r]$ | no |
# | largest | $a_0[r]$ | no |
# | random | chance, if it is active | no |
#
# Beside the rankings the figure has the paper's two sets, and the share of errors whose *repair set*
# has at most $m$ cells: the smallest set found without which $t$ wins, `repair(trace, t)`. What knows
# the true class explains an error afterwards and cannot correct one.

# %%
curves = {task: findings.curve_table(part, found, seed) for task, (part, found) in repairs.items()}

# %% mystnb={"figure": {"name": "fig-repair-curves", "caption": "Share of errors that are repaired (vertical) when a number of cells of the last maps (horizontal) is set to zero, by how the cells are chosen: the repair sets (red, broad), largest contrastive contribution (blue), contribution to the wrong logit (green, dashed), largest activation (purple, dots and dashes), and active cells at random (gray, dotted). Bands are Wilson's 95 % intervals. Square and circle are the paper's unique and common sets (published cutoff) at their mean size."}, "image": {"alt": "A panel for each task, with a curve for each ranking and two marks for the paper's sets"}}
findings.curves_figure(curves, points) if repairs else None

# %%
said = []
for task, table in curves.items():
    one = table[table["pixels"] == 1].set_index("chosen")["share"].map("{:.0%}".format)
    said.append(
        f"For {paper.TASK_NAMES[task]} a single cell repairs {one['contrastive']} of the errors if it is"
        f" the most contrastive, {one['contribution']} if it contributes most to the wrong class,"
        f" {one['largest']} if its activation is largest, and {one['random']} if it is drawn at random."
    )
Markdown(" ".join(said)) if said else None

# %% [markdown]
# A curve can fall with more cells: what adds to the wrong class may add to the true one as well, and
# in the end a third class may win.
#
# ## The smallest sets
#
# `repair` is greedy. Of the cells with the largest contrastive contributions it suppresses the one
# that brings the true class nearest to winning, classifies the image again, and so on until the
# answer is right. Then it gives back cells, one, two and more at a time, as long as the answer
# stays right. In brackets is a 95 % interval of the mean.


# %%
def tabled(rows, *names):
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(names) if rows else None


def sizes(found):
    """Return the mean, the median and the largest size of the sets that repair."""
    cells = found.size[found.repaired].double().numpy()
    if not len(cells):
        return {}
    low, high = bootstrap_interval(cells)
    mean = f"{cells.mean():.1f} ({low:.1f} to {high:.1f})"
    return {"mean cells": mean, "median": f"{np.median(cells):g}", "most": f"{cells.max():.0f}"}


tabled({paper.TASK_NAMES[task]: sizes(found) for task, (_, found) in repairs.items()}, "task")

# %%
candidates, said = 10, []
for task, (part, found) in repairs.items():
    shares = contributions(part.wrong, None, against=part.labels)
    best = smallest_repair(part.wrong, part.labels, top_pixels(shares, candidates))
    smaller = int(((best > 0) & (best < found.size)).sum())
    said.append(
        f"For {share_in_words(int(found.minimal.sum()), len(found), f'{paper.TASK_NAMES[task]} set')}"
        " we tried every part, and none repairs. A search of all sets of the"
        f" {candidates} most contrastive cells finds a smaller one for {in_words(smaller, 'error')}."
    )
Markdown(" ".join(said)) if said else None

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
# Perhaps a few cells change any answer to any other. So we search in two more ways: from the error to
# a random class, neither true nor given, and from the right look-alike to the class that the error
# was taken for. If any class were near, these would need equally few cells.

# %%
rows, times = {}, {}
for task, (part, found) in repairs.items():
    if part.wrong.network.classes > 2:
        other = random_classes(part.wrong, part.labels, seed)
        searches = {
            "error to its true class": found,
            "error to a random class": repair(part.wrong, other),
            "right look-alike to the same wrong class": repair(part.right, part.wrong.predicted),
        }
        for name, each in searches.items():
            reached = {"reached": f"{int(each.repaired.sum())} of {len(each)}"}
            rows[paper.TASK_NAMES[task], name] = reached | sizes(each)
        means = [float(each.size[each.repaired].double().mean()) for each in searches.values()]
        if np.isfinite(means).all():
            times[task] = [mean / means[0] for mean in means[1:]]
tabled(rows, "task", "from and to")

# %%
said = [
    f"For {paper.TASK_NAMES[task]} a random class takes {far:.1f} times the cells that the true class"
    f" takes, and the way from the look-alike {back:.1f} times."
    for task, (far, back) in times.items()
]
Markdown(" ".join(said)) if said else None

# %% [markdown]
# ## Common or unique?
#
# By the paper, the values of common cells decide errors of identity, and unique cells decide errors
# of emotion. Where do the repair sets lie? The table has the share of their cells that are common,
# unique or neither (published cutoff). In brackets: the share expected of random active cells.

# %%
rows, lies = {}, {}
for task, (part, found) in repairs.items():
    active, sets = part.wrong.maps > 0, pixel_sets(part, RULES["cutoff"])
    parts = {"common": sets.common, "unique": sets.unique, "neither": ~sets.wrong}
    lies[task] = {name: int((cells & found.pixels).sum()) for name, cells in parts.items()}
    rows[paper.TASK_NAMES[task]] = {
        name: f"{lies[task][name] / found.pixels.sum():.0%}"
        f" ({(cells & active).sum() / active.sum():.0%})"
        for name, cells in parts.items()
    }
tabled(rows, "task")

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
    share_of = pd.Series(lies[task], dtype=float) / int(found.pixels.sum())
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

# %%
found_out = []
for task, (_, found) in repairs.items():
    if not found.repaired.any():
        continue
    mean, common = found.size[found.repaired].double().mean(), lies[task]["common"]
    where = "most" if 2 * common > found.pixels.sum() else "at most half"
    far = f"; a random class takes {times[task][0]:.1f} times that number" if task in times else ""
    found_out.append(
        f"- {paper.TASK_NAMES[task].capitalize()}: {mean:.1f} cells undo an error on average{far};"
        f" {where} of these cells, {common / found.pixels.sum():.0%}, are common to the error and its"
        " look-alike."
    )
Markdown("\n".join(found_out)) if found_out else None

# %% [markdown]
# - A large set may repair because of a few of its cells. It therefore says little about the paper's
#   rule that its sets repair some errors.
# - A common cell that repairs is active in both images. What makes one of them wrong is not that it
#   is active but how strongly, together with other cells.
# - A small repair set shows that the image lies near a border between two classes. It does not show
#   a cause in the world: the network has never seen maps with cells set to zero.
# - Sets are the smallest *found*. Others may be as small or smaller.
#
# ## Exercises
#
# How much is enough? Multiply the cells of the repair sets by a number from zero to one, and count the
# errors that are still repaired.

# %% tags=["hide-cell"]
kept = {}
for factor in (0.0, 0.25, 0.5, 0.75):
    for task, (part, found) in repairs.items():
        logits = rescore(part.wrong, found.pixels, factor * part.wrong.maps)
        right = (logits.argmax(1) == part.labels).sum()
        kept.setdefault(paper.TASK_NAMES[task], {})[factor] = int(right)
pd.DataFrame(kept).rename_axis("times its value") if kept else None
