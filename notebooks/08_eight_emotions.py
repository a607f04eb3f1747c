# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
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
from tinyvgg.chapters.verdicts import conclude, record_numbers
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


def share(name, fill="zero", outcome="repaired", of=suppressed["cutoff"]):
    """Print the share of the errors with an outcome, under the published code's cutoff."""
    return f"{cases.by_pair(of, outcome)[name, fill].mean():.0%}"


more = cases.advantage(suppressed["cutoff"], "unique", "excess").value > 0
answer = (
    f"The unique cells at zero repair {share('unique')} of {style.in_words(len(pairs), 'error')},"
    f" {'more' if more else 'no more'} than the same number of cells whose activation exceeds the"
    f" look-alike's most ({share('excess')}). Random cells repair {share('random')}, common ones"
    f" {share('common')}. With the look-alike's values in place of zero, the unique cells repair"
    f" {share('unique', 'patched')} and the common ones {share('common', 'patched')}."
)
Markdown(f"> **What came out.** {answer if len(pairs) else 'No error has a right look-alike.'}")

# %% mystnb={"figure": {"name": "fig-repaired", "caption": "Share of the errors that become right when a set of cells is set to zero: random active cells, the cells unique to the error, and the cells whose activation exceeds the look-alike's most. The three sets of an error have the same number of cells (published cutoff)."}, "image": {"alt": "A bar each for random cells, unique cells, and the cells of largest excess."}}
names = {"random": "random cells", "unique": "unique cells", "excess": "cells of largest excess"}
shares = cases.by_pair(suppressed["cutoff"], "repaired")
found = {shown: shares[name, "zero"].mean() for name, shown in names.items() if len(pairs)}
style.bars(found, [style.GRAY, style.ORANGE, style.BLUE]) if found else None

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

# %% mystnb={"figure": {"name": "fig-eight-errors", "caption": "After the paper's Figure 11. First row: group A, misclassified images, with the class that each was taken for. Second row: group B, their look-alikes, which the network classifies correctly, with the true class of both. Third row: tracked features of the cells that are unique to A (published cutoff), each from white (nothing) to its own largest value."}, "image": {"alt": "Columns of two portraits each, and below them a map of ink"}}
classes, images = [style.short(name, 13) for name in run.classes], run.faces.images


@style.styled()
def eight_figure():
    """Draw errors, look-alikes, and what the cells unique to the errors show."""
    features = track_features(eight.wrong, cases.pixel_sets(eight, RULES["cutoff"]).unique)
    rows = [
        ("A, taken for", [(classes[case.predicted], images[case.row]) for case in eight.cases]),
        ("B, right as", [(classes[case.true], images[case.lookalike]) for case in eight.cases]),
        ("features of A", [("", ink) for ink in style.strength(features)]),
    ]
    figure = style.pictures(rows, cell=style.WIDTH / 8, aspect=1.2)
    figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


eight_figure() if len(eight) else None

# %% [markdown]
# ## Before and after
#
# Let $L_A$ and $L_B$ be the backtracked cells of the two images. We set the unique cells of A,
# $L_A\setminus L_B$, to zero, and the dense layers answer again: our version of Table 3.

# %% mystnb={"figure": {"name": "fig-eight-probabilities", "caption": "Probabilities of all classes for one error of each wrong answer, before (gray) and after the cells unique to the error are set to zero (blue, published cutoff). The true class has a green background, the class that the image was taken for a red one."}, "image": {"alt": "A bar chart for each case, with a gray and a blue bar for each class"}}
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
# the paper's, so compare the pattern and not single numbers.


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

# %%
networks, key = networks_of(study), "s4.emotion.repaired_unique"
won = int((after["cutoff"].argmax(1) == eight.labels).sum())
spread = f" ({paper.show_spread(networks, key)} in {len(networks)} networks)" if networks else ""
Markdown(
    "Afterwards the true class has the largest probability in"
    f" {style.share_in_words(won, len(eight), 'case')}{spread}, and in the paper's table in"
    f" {paper.number(key)} of {paper.number('s4.emotion.cases')}."
) if len(eight) else None

# %% [markdown]
# ### Why are the smallest probabilities of the paper equal?
#
# In each of the paper's rows *after* suppression {paper}`t3.emotion.fewest_equal_after` to
# {paper}`t3.emotion.most_equal_after` of the smallest probabilities are exactly equal, and in no
# row *before*. A softmax gives equal probabilities only to equal logits, and a ReLU sets all negative
# logits to zero. The framework of the published code gives dense layers a ReLU by default. So a last
# layer that was rebuilt for the second pass may have got one by oversight. As long as one logit is
# positive, the answers are the same with and without it, and so are the paper's corrections.


# %%
def fewest_and_most(logits):
    """Return the fewest and the most entries that equal the smallest of their row."""
    counts = cases.equal_smallest(logits.softmax(1)).tolist()
    return (min(counts), max(counts)) if counts else ()


equal = {}
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
_, most, least_relu, _ = [*equal["cutoff"].values()][:4] or [0] * 4
Markdown(
    f"In our rows at most {most} of the probabilities has the smallest value. With a"
    f" ReLU on the logits at least {least_relu} do"
    + (": only then are our rows like the paper's." if most == 1 < least_relu else ".")
) if len(eight) else None

# %% [markdown]
# ## All errors, and the controls
#
# A few chosen cases say little about the others. So we suppress the unique cells of every error
# that has a look-alike, and compare other sets *of the same size*:
#
# - the largest *excess* of activation over the look-alike's, without any backtracking;
# - the *largest activations*, and *random* active cells;
# - the most *contrastive* cells, by activation times the gradient of the wrong logit minus the true
#   one. This is what a cell adds to the difference, exactly so as long as no neuron of the dense
#   layers turns on or off. It takes the true class to compute.
#
# An error is *repaired* if the answer becomes its true class. The *repair set* is the smallest set
# found that does so ({doc}`09_repairs`). Two weaker controls are listed with the verdict: random
# cells of those backtracked in the error, and cells found in the error but not in its nearest right
# image of a third class.

# %%
unshown = ("nothing", "all", "random_common", "subset", "other")
names = [name for name in cases.SETS if name not in unshown]
place = [pairs.cases.index(case) for case in eight.cases]
repaired = {rule: cases.summarise(table) for rule, table in suppressed.items()}
few = {rule: cases.summarise(t[t["pair"].isin(place)]) for rule, t in suppressed.items()}

# %% mystnb={"figure": {"name": "fig-repairs", "caption": "Share of all errors that are repaired when cells of the last maps are set to zero (published cutoff). Bars are Wilson's 95 % intervals over the errors. Gray: sets drawn at random; their share is a mean over the draws, and their bars are, if anything, too wide."}, "image": {"alt": "A column of points with bars, one for each set of cells"}}
cases.rates_figure({"": repaired["cutoff"]}, names, "repaired")

# %%
of = {name: f"{repaired['cutoff']['count'][name]:.0f}" for name in names}
Markdown(
    f"The unique cells repair {of['unique']} of {style.in_words(len(pairs), 'error')}, and the excess,"
    f" without backtracking, {of['excess']}. Contrastive cells, which take the true class to find,"
    f" repair {of['contrastive']}. Unique cells of the printed rule repair"
    f" {repaired['literal']['count']['unique']:.0f}."
) if len(pairs) else None

# %% [markdown]
# ### Values other than zero
#
# The same cells take other values, as in {doc}`07_subject_40`. The table has the share of errors that
# become right, with its standard error.

# %%
cases.fills_table(suppressed["cutoff"], "repaired", names) if len(pairs) else None

# %%
margins = [cases.advantage(suppressed["cutoff"], "unique", "common", fill=f) for f in cases.FILLS]
shrinks = abs(margins[-1].value) < abs(margins[0].value)
Markdown(
    f"At zero the unique cells repair {share('unique')} and the common ones {share('common')}, with the"
    f" look-alike's values {share('unique', 'patched')} and {share('common', 'patched')}. The margin"
    f" between the two is {'smaller' if shrinks else 'no smaller'} with values that a right image has."
) if len(pairs) else None

# %% [markdown]
# ### Is it the opposite of identity?
#
# In the paper common cells decide identity, and unique cells emotion. Then unique cells should beat
# common ones by *more* for emotion than for identity, whatever value replaces theirs. `contrast` is
# the margin for emotion minus that for identity.

# %%
tables = {run.task: suppressed["cutoff"]}
if len(study.tasks) > 1:
    first = study.run(study.tasks[0])
    others = cases.record_pairs(first, cases.find_cases(first))
    theirs = cases.fill_values(first, others, seed=seed)
    asked = others, RULES["cutoff"], ["common", "unique"], theirs
    tables[first.task] = cases.suppression_table(*asked, seed=seed)
rows, wider = {fill: {} for fill in cases.FILLS}, {}
for fill, row in rows.items():
    margins = [cases.advantage(t, "unique", "common", fill=fill) for t in tables.values()]
    for task, margin in zip(tables, margins, strict=True):
        row[f"{paper.TASK_NAMES[task]}: unique above common"] = cases.with_error(margin)
    if len(tables) > 1 and all(map(len, (pairs, others))):
        one, other = margins
        contrast = Estimate(one.value - other.value, hypot(one.error, other.error))
        row["contrast"] = cases.with_error(contrast)
        record_numbers({f"s4.both.contrast_{fill}": contrast})
        wider.setdefault(contrast.value > 0, []).append(cases.FILLS[fill])
pd.DataFrame(rows).T.rename(index=cases.FILLS).rename_axis("values")

# %%
yes, no = (", ".join(wider.get(answer, ())) for answer in (True, False))
answer = "It depends on what replaces the activations: the margin is wider for emotion with"
answer += f" {yes}, and not with {no}."
if not yes or not no:
    sign, values = ("Yes", "each") if yes else ("No", "no")
    answer = f"{sign}: the margin is wider for emotion with {values} value."
Markdown(answer) if wider else None

# %% [markdown]
# ### Answers that change, and right images that are harmed
#
# Not every changed answer is a repair: the first column counts all changes. The second counts the
# look-alikes whose right answer changes when the same cells, by position, are set to zero in them.
# The last column is the fairer test: a *right* image is treated as if it were the error, and cells
# chosen from *it*, such as those unique to it, are set to zero. All are shares of answers under the
# cutoff, with standard errors.

# %%
turned = cases.suppression_table(pairs.reversed(), RULES["cutoff"], names[:-1], seed=seed)
outcomes = {
    "error changes": (suppressed["cutoff"], "changed"),
    "look-alike changes": (suppressed["cutoff"], "harmed"),
    "right image changes": (turned, "changed"),
}
columns = {
    title: cases.fills_table(table, outcome, names[: -1 if table is turned else None])["zero"]
    for title, (table, outcome) in outcomes.items()
}
table = pd.DataFrame(columns).reindex([cases.SETS[name] for name in names]).fillna(paper.NOTHING)
table if len(pairs) else None

# %%
more = cases.advantage(turned, "unique", "random", "changed").value > 0
Markdown(
    f"The cells unique to the error change {share('unique', outcome='harmed')} of the look-alikes,"
    f" random cells {share('random', outcome='harmed')}, and the common cells"
    f" {share('common', outcome='harmed')}. By definition, though, the first were not found in"
    " the look-alike. Without the cells unique to *it*, a right image changes in"
    f" {share('unique', outcome='changed', of=turned)} of the cases, {'more' if more else 'no more'}"
    f" often than without random ones ({share('random', outcome='changed', of=turned)})."
) if len(pairs) else None

# %% [markdown]
# ## Try it
#
# Here is the first of the errors above, with the cells of its last maps. Switch off those unique to
# the error, the same number at random, or any that you like. The network itself answers, in this
# page or in the kernel of this notebook.

# %%
repair_bench(run, eight.cases[0].row if len(eight) else None)

# %%
sets = ("unique", "common", "all", "random", "largest", "excess", "subset", "other")
sets = dict(zip(sets, sets, strict=True)) | {"contrast": "contrastive"}
found = {f"s4.{run.task}.cases": len(eight), f"s4.{run.task}.all_cases": len(pairs)}
for start, tables in (("", few), ("all_", repaired)):
    counts = {
        rule: {f"{start}repaired_{key}": cases.count(table, name) for key, name in sets.items()}
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
# - What unique cells repair is no merit of backtracking. The look-alike was chosen by the true
#   class, unknown for a new image. The excess uses the same knowledge, and no backtracking.
# - Contrastive sets show what so few cells can do. They know the true class and are no remedy.
# - Zero in place of a large activation changes a map more than most other values would. So a set
#   that repairs at zero need not repair with the look-alike's values. Where it does not, the values
#   of its cells alone are not what separates the error from the right image.
