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
# # One error of each kind
#
# For emotion, {cite:t}`fang2017` finds the opposite of what holds for identity: the common cells
# matter little. What leads the network astray are the cells *unique to the error*, which
# backtracking finds in the wrong image and not in its right look-alike. Once these are set to
# zero, the network classifies all {paper}`s4.emotion.cases` examples of the paper correctly.
#
# Is that so for every error? Do the unique cells *repair* more errors (make their answers right)
# than the same number of cells that simply exceed the look-alike most, without any backtracking?
# Does it work with values other than zero? Is it really the opposite of identity? And what does it
# do to images that were right?

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
from math import hypot

import numpy as np
import pandas as pd
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import cases, style
from tinyvgg.chapters.bench import repair_bench
from tinyvgg.chapters.cases import RULES
from tinyvgg.chapters.statistics import Estimate, digest, networks_of
from tinyvgg.chapters.verdicts import conclude, either, record_numbers
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
run = study.run(study.tasks[-1])

# %%
pairs = cases.record_pairs(run, cases.find_cases(run))
fills = dict.fromkeys(RULES, cases.ZERO) | {"cutoff": cases.fill_values(run, pairs, seed=seed)}
suppressed = {
    rule: cases.suppression_table(pairs, how, fills=fills[rule], seed=seed)
    for rule, how in RULES.items()
}


def share(name, fill="zero"):
    """Print the share of the errors that become right, under the published code's cutoff."""
    return f"{cases.by_pair(suppressed['cutoff'])[name, fill].mean():.0%}"


more = cases.advantage(suppressed["cutoff"], "unique", "excess").value > 0
answer = (
    f"The unique cells at zero repair {share('unique')} of {style.in_words(len(pairs), 'error')},"
    f" {'more' if more else 'no more'} than the same number of cells whose activation exceeds the"
    f" look-alike's most ({share('excess')}). Random cells repair {share('random')}, common ones"
    f" {share('common')}. With the look-alike's values in place of zero, the unique cells repair"
    f" {share('unique', 'patched')} and the common ones {share('common', 'patched')}."
)
Markdown(f"> **What came out.** {answer if len(pairs) else 'No error has a right look-alike.'}")

# %% [markdown]
# ## One error for each wrong answer
#
# Group A has, for each class that an image was taken for, the error that is nearest to its
# look-alike. Group B has these look-alikes: right test images of the error's true class, at the
# same angle and, where there is one, of the same subject. The `distance` is the root mean square
# difference of their pixels. The paper does not say how it chose its {paper}`s4.emotion.cases`. We
# choose by similarity alone, before anything is suppressed.

# %%
taken_for = sorted({case.predicted for case in pairs.cases})
eight = pairs.only(
    case
    for label in taken_for
    for case in cases.closest(case for case in pairs.cases if case.predicted == label)
)
rows = [
    {
        "case": number,
        "error": cases.name_of(run, case.row),
        "taken for": run.classes[case.predicted],
        "truly": run.classes[case.true],
        "look-alike": cases.name_of(run, case.lookalike),
        "distance": f"{case.distance:.3f}",
    }
    for number, case in enumerate(eight.cases, start=1)
]
pd.DataFrame(rows) if rows else None

# %% mystnb={"figure": {"name": "fig-eight-errors", "caption": "After the paper's Figure 11. First row: group A, misclassified images, with the class that each was taken for. Second row: group B, their look-alikes, which the network classifies correctly, with the true class of both. Third and fourth row: tracked features of the cells that are unique to A, under the published code's cutoff and under the literal rule (Algorithm 1 as printed), each from white (nothing) to its own largest value."}, "image": {"alt": "Columns of two nearly equal portraits each, and below them dark traces that differ from column to column, many of them about eyes and mouth"}}
classes, images = [style.short(name, 13) for name in run.classes], run.faces.images


def eight_figure():
    """Draw errors, look-alikes, and what the cells unique to the errors show."""
    rows = [
        ("A, taken for", [(classes[case.predicted], images[case.row]) for case in eight.cases]),
        ("B, right as", [(classes[case.true], images[case.lookalike]) for case in eight.cases]),
    ]
    for rule, how in RULES.items():
        features = track_features(eight.wrong, cases.pixel_sets(eight, how).unique)
        rows.append((f"features,\n{rule}", [("", ink) for ink in style.strength(features)]))
    figure = style.pictures(rows, cell=style.WIDTH / 8, aspect=1.2)
    figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


eight_figure() if len(eight) else None

# %% [markdown]
# ## Before and after
#
# Let $L_A$ and $L_B$ be the backtracked cells of the two images. We set the unique cells of A,
# $L_A\setminus L_B$, to zero, and the dense layers answer again: our version of Table 3.

# %% mystnb={"figure": {"name": "fig-eight-probabilities", "caption": "Probabilities of all classes for one error of each wrong answer, before (gray) and after the cells unique to the error are set to zero (blue, published cutoff). The true class has a green background, the class that the image was taken for a red one."}, "image": {"alt": "Small bar charts. Gray bars are longest on red ground; in some charts the longest blue bar is on green ground, in others it stays on red"}}
after = {
    rule: rescore(eight.wrong, cases.pixel_sets(eight, how).unique) for rule, how in RULES.items()
}


@style.styled()
def probabilities_figure():
    """Draw the probabilities before and after, the true class on green."""
    figure, axes = style.grid(-(-len(eight) // 4), 4, aspect=1.1, sharey=True)
    places = np.arange(len(classes))
    states = {
        "before": (-0.2, "#b8b8b8", eight.wrong.probabilities),
        "after": (0.2, style.BLUE, after["cutoff"].softmax(1)),
    }
    for number, (ax, case) in enumerate(zip(axes.flat, eight.cases, strict=False)):
        for state, (offset, colour, chances) in states.items():
            ax.barh(places + offset, chances[number], 0.4, color=colour, label=state, zorder=2)
        ax.set_yticks(places, classes, fontsize=7)
        ax.set(xlim=(0, 1), ylim=(len(places) - 0.5, -0.5), title=f"case {number + 1}")
        for label, colour in ((case.true, style.GREEN), (case.predicted, style.RED)):
            ax.axhspan(label - 0.5, label + 0.5, color=colour, alpha=0.14, lw=0, zorder=0)
    for ax in axes.flat[len(eight) :]:
        ax.axis("off")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


probabilities_figure() if len(eight) else None

# %% [markdown]
# The table has the two classes that matter, before → after suppression (cutoff). Our cases are not
# the paper's: compare the pattern, not single numbers.


# %%
def change(before, after):
    """Print probabilities before and after."""
    return [f"{x:.2f} → {y:.2f}" for x, y in zip(before, after, strict=True)]


chances = eight.wrong.probabilities, after["cutoff"].softmax(1)
theirs, columns = paper.table3(), {}
for name, which, labels in (
    ("true class", "true", eight.labels),
    ("class it was taken for", "predicted", eight.wrong.predicted),
):
    ours = change(*(p.gather(1, labels[:, None])[:, 0].tolist() for p in chances))
    printed = theirs[theirs[which]].set_index("case")
    columns[f"ours: {name}"] = pd.Series(ours, index=range(1, len(ours) + 1), dtype=str)
    columns[f"paper: {name}"] = pd.Series(
        change(printed["before"], printed["after"]), printed.index
    )
table = pd.DataFrame(columns).fillna(paper.NOTHING).rename_axis("case").reset_index()
table if len(eight) else None

# %% [markdown]
# ### Why are the smallest probabilities of the paper equal?
#
# In each of the paper's rows *after* suppression {paper}`t3.emotion.fewest_equal_after` to
# {paper}`t3.emotion.most_equal_after` of the smallest probabilities are exactly equal, and in no
# row *before*. A softmax gives equal probabilities only to equal logits. A ReLU on the logits
# would make them equal: all negative ones become zero. The framework of the published code gives
# dense layers a ReLU by default, and a last layer rebuilt for the second pass may have got one by
# oversight. The table tests this reading. It counts the entries of a row that equal its smallest,
# with our logits as they are and with a ReLU on them (from the fewest to the most over the cases).


# %%
def fewest_and_most(logits):
    """Return the fewest and the most entries that equal the smallest of their row."""
    counts = cases.equal_smallest(logits.softmax(1)).tolist()
    return (min(counts), max(counts)) if counts else ()


def in_words(counts):
    return " to ".join(map(str, sorted(set(counts)))) or paper.NOTHING


theirs, equal = paper.table3().groupby("case"), {}
rows = {"before": eight.wrong.logits} | {f"after, {rule}": z for rule, z in after.items()}
for state, logits in rows.items():
    printed = theirs[state.split(",")[0]].agg(lambda p: (p == p.min()).sum())
    rows[state] = {
        "paper": in_words([printed.min(), printed.max()]),
        "ours": in_words(fewest_and_most(logits)),
        "ours, ReLU on the logits": in_words(fewest_and_most(logits.relu())),
    }
for rule, logits in after.items():
    equal[rule] = {
        f"{name}_equal_after{end}": count
        for end, values in (("", logits), ("_relu", logits.relu()))
        for name, count in zip(("fewest", "most"), fewest_and_most(values), strict=False)
    }
    if len(eight):
        right = float((logits.argmax(1) == eight.labels).double().mean())
        equal[rule]["share_right"] = Estimate(right, 0.0)  # the cases are chosen, not drawn
before = int((cases.equal_smallest(eight.wrong.probabilities) > 1).sum())
found = {f"t3.{run.task}.cases": len(eight), f"t3.{run.task}.rows_equal_before": before}
record_numbers(found | cases.keyed("t3", run, equal))
pd.DataFrame(rows).T.rename_axis("probabilities")

# %% [markdown]
# If only a ReLU makes several entries equal to the smallest, it gives what the paper prints. Then
# the reading is possible, and not proven. The answer is the largest logit. It is the same with and
# without a ReLU as long as one logit is positive, so the paper's corrections do not depend on it.
#
# ## All errors, and the controls
#
# A few chosen cases say little about the others. So we suppress the unique cells of every error
# that has a look-alike, and compare other sets *of the same size*:
#
# - the largest *excess* of activation over the look-alike's, without any backtracking;
# - the *largest activations*, and *random* active cells;
# - random ones of *any of the error's backtracked* cells;
# - cells that are *unique beside another class*: found in the error, but not in the right image of
#   a third class, at the same angle, that is nearest to it;
# - the most *contrastive* cells, by activation times the gradient of the wrong logit minus the
#   true one. As long as no ReLU of the head switches, this is exactly what a cell adds to the
#   difference. It takes the true class to compute.
#
# An error is *repaired* if the answer becomes its true class. The *repair set* is the smallest set
# found that does so (`repair`); {doc}`09_repairs` is about those.

# %%
names = [name for name in cases.SETS if name not in ("nothing", "all", "random_common")]
place = [pairs.cases.index(case) for case in eight.cases]
repaired = {rule: cases.summarise(table) for rule, table in suppressed.items()}
few = {rule: cases.summarise(t[t["pair"].isin(place)]) for rule, t in suppressed.items()}
answers = rescore(pairs.wrong, cases.pixel_sets(pairs, RULES["literal"]).wrong).argmax(1)
Markdown(
    "We leave out one set. Without *all* cells that the literal rule finds, the network answers"
    f" {either([run.classes[label] for label in answers.unique()])} to"
    f" {style.share_in_words(len(pairs), len(pairs))}."
) if len(pairs) else None

# %% mystnb={"figure": {"name": "fig-repairs", "caption": "Share of all errors that are repaired when cells of the last maps are set to zero; left under the published code's cutoff, right under the literal rule. Bars are Wilson's 95 % intervals over the errors. Gray: sets drawn at random; their share is a mean over the draws, and their bars are, if anything, too wide."}, "image": {"alt": "Two panels of points, one for each rule. The repair sets lie at the right end, then contrastive cells; excess and unique cells lie in the middle, random and common ones at the left"}}
cases.rates_figure(repaired, names, "repaired")

# %% [markdown]
# The number of errors repaired, of those shown above and of all (random sets: mean over draws):

# %%
columns = {}
for rule in RULES:
    for of, tables in ((len(eight), few), (len(pairs), repaired)):
        column = f"{rule}: of {'the ' if tables is few else 'all '}{of}"
        columns[column] = {
            cases.SETS[name]: f"{cases.count(tables[rule], name):.4g}" for name in names
        }
pd.DataFrame(columns).rename_axis("at zero") if len(pairs) else None

# %% [markdown]
# ### Values other than zero
#
# The same cells (cutoff) take the mean of their map (the channel's) over right images, what a
# random right image has in the same place, or what the look-alike has there (*patching*). The
# table has the share of errors that become right, with its standard error.

# %%
cases.fills_table(suppressed["cutoff"], "repaired", names) if len(pairs) else None

# %% [markdown]
# ### Is it the opposite of identity?
#
# In the paper common cells decide identity, and unique cells emotion. If so, the margin by which
# unique cells repair more errors than common ones is *wider* for emotion than for identity,
# whatever value replaces theirs. `contrast` is the margin for emotion minus that for identity.

# %%
tables = {run.task: suppressed["cutoff"]}
if len(study.tasks) > 1:
    first = study.run(study.tasks[0])
    others = cases.record_pairs(first, cases.find_cases(first))
    theirs = cases.fill_values(first, others, seed=seed)
    asked = others, RULES["cutoff"], ["common", "unique"], theirs
    tables[first.task] = cases.suppression_table(*asked, seed=seed)
rows = {fill: {} for fill in cases.FILLS}
for fill, row in rows.items():
    margins = [cases.advantage(t, "unique", "common", fill=fill) for t in tables.values()]
    for task, margin in zip(tables, margins, strict=True):
        row[f"{paper.TASK_NAMES[task]}: unique above common"] = cases.with_error(margin)
    if len(tables) > 1:
        one, other = margins
        contrast = Estimate(one.value - other.value, hypot(one.error, other.error))
        row["contrast"] = cases.with_error(contrast)
        record_numbers({f"s4.both.contrast_{fill}": contrast})
pd.DataFrame(rows).T.rename(index=cases.FILLS).rename_axis("values")

# %% [markdown]
# ### Answers that change, and right images that are harmed
#
# Not every changed answer is a repair: the first column counts all changes. The next three count
# *harm*: the same cells, by position, take other values in the look-alike, and its right answer
# changes. The last column is the fairer test: a *right* image is treated as if it were the error,
# and cells chosen from *it*, such as those unique to it, are set to zero. All are shares of
# answers under the cutoff, with standard errors.

# %%
turned = cases.suppression_table(pairs.reversed(), RULES["cutoff"], names[:-1], seed=seed)
outcomes = {
    "answer changes": (suppressed["cutoff"], "changed", "zero"),
    "harmed at zero": (suppressed["cutoff"], "harmed", "zero"),
    "harmed at the channel's mean": (suppressed["cutoff"], "harmed", "mean"),
    "harmed at another image's values": (suppressed["cutoff"], "harmed", "resampled"),
    "right image changes": (turned, "changed", "zero"),
}
columns = {
    title: cases.fills_table(table, outcome, names[:-1] if table is turned else names)[
        cases.FILLS[fill]
    ]
    for title, (table, outcome, fill) in outcomes.items()
}
table = pd.DataFrame(columns).reindex([cases.SETS[name] for name in names]).fillna(paper.NOTHING)
table if len(pairs) else None

# %% [markdown]
# ## Try it
#
# Here is the first of these errors, with the cells of its last maps. Switch off those unique to
# the error, the same number at random, or any that you like. The network itself answers, in this
# page or in the kernel of this notebook.

# %%
repair_bench(run, eight.cases[0].row if len(eight) else None)

# %% [markdown]
# ## The paper's numbers beside ours

# %%
sets = {
    "repaired_unique": "unique",
    "repaired_common": "common",
    "repaired_all": "all",
    "repaired_random": "random",
    "repaired_largest": "largest",
    "repaired_excess": "excess",
    "repaired_subset": "subset",
    "repaired_other": "other",
    "repaired_contrast": "contrastive",
}
found = {f"s4.{run.task}.cases": len(eight), f"s4.{run.task}.all_cases": len(pairs)}
for start, tables in (("", few), ("all_", repaired)):
    counts = {
        rule: {f"{start}{name}": cases.count(table, pixels) for name, pixels in sets.items()}
        for rule, table in tables.items()
    }
    found |= cases.keyed("s4", run, counts)
for control in ("excess", "common", "largest", "subset", "other", "random"):
    margin = cases.advantage(suppressed["cutoff"], "unique", control)
    found[f"s4.{run.task}.unique_above_{control}"] = margin
harm = cases.advantage(suppressed["cutoff"], "unique", "random", "harmed")
both = {rule: cases.pixel_sets(pairs, how) for rule, how in RULES.items()}
digests = {
    rule: {f"digest_{side}": digest(getattr(of, side)) for side in ("wrong", "right")}
    for rule, of in both.items()
}
found |= {f"s4.{run.task}.harmed_above_random": harm} | cases.keyed("s4", run, digests)
record_numbers(found | {f"f11.{run.task}.cases": len(eight)})
intervals = {
    f"s4.{run.task}.cases": None,
    f"s4.{run.task}.repaired_unique": cases.count_interval(few["cutoff"], "unique"),
}
rows = [("", key, found[key], interval) for key, interval in intervals.items()]
paper.compare(rows, networks_of(study)).drop(columns="place in the paper")

# %% [markdown]
# ## What may be concluded, and what may not
#
# We judge each claim over networks by a rule that was written before they were trained:

# %%
conclude(
    study,
    *("T3", "S4"),
    F11=f"{len(eight)} of {len(classes)} classes were the wrong answer to an image"
    " that has a right look-alike",
)

# %% [markdown]
# - If unique cells repair more errors than random ones, the difference between an error and its
#   look-alike says something about the error. That is no merit of backtracking: the look-alike was
#   chosen by the true class, unknown for a new image. The excess uses the same knowledge.
# - Contrastive sets show what so few cells can do. They know the true class and are no remedy.
# - Zero in place of a large activation changes a map more than most other values would. A set may
#   repair at zero and not with the look-alike's values. Then the values of these cells alone are
#   not what separates the error from the right image.
