# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Two similar images, one of them wrong
#
# Two photographs of subject {paper}`f9.subject.subject` differ in little but the gaze. The network
# of {cite:t}`fang2017` identifies the subject in one, the *right image*, and takes the other, the
# *wrong image*, for another subject. Backtracking finds mostly the same *cells* (elements of the
# last maps) in both, at different values. Without these *common cells* the network classifies
# neither image correctly. The paper concludes that the values of the common cells decide.
#
# Is that so for every error? Does the answer also change without the same number of *other* cells?
# And what if the cells of the error take the values of a similar right image in place of zero?

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
from tinyvgg.chapters import cases, style
from tinyvgg.chapters.cases import RULES
from tinyvgg.chapters.statistics import digest, estimate, networks_of
from tinyvgg.chapters.style import in_words
from tinyvgg.chapters.verdicts import conclude, record_numbers
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
run = study.run(study.tasks[0])

# %%
pairs = cases.record_pairs(run, cases.find_cases(run))
wanted = str(paper.number("f9.subject.subject"))
true = run.classes.index(wanted) if wanted in run.classes else None
pair = pairs.only(cases.closest(pairs.cases, true=true))
place = [pairs.cases.index(case) for case in pair.cases]
fills = dict.fromkeys(RULES, cases.ZERO) | {"cutoff": cases.fill_values(run, pairs, seed=seed)}
tried = ["all", "common", "largest_common", "random_common", "unique", "excess", "random", "repair"]
sets = ["nothing", "common", "largest_common", "random_common"]
errors = {
    rule: cases.suppression_table(pairs, how, ["nothing", *tried], fills[rule], seed=seed)
    for rule, how in RULES.items()
}
lookalikes = {
    rule: cases.suppression_table(pairs.reversed(), how, sets, seed=seed)
    for rule, how in RULES.items()
}
others = {rule: table[~table["pair"].isin(place)] for rule, table in errors.items()}


def share(name, outcome, fill="zero"):
    """Print the share of the other errors with an outcome, under the published code's cutoff."""
    return f"{cases.by_pair(others['cutoff'], outcome)[name, fill].mean():.0%}"


def margin(*asked):
    """Return by how much the share of the other errors is larger under one set than another."""
    return cases.advantage(others["cutoff"], *asked).value


NO_PAIR = "no error of this run has a right look-alike"
answer = f"N{NO_PAIR[1:]}."
if len(pairs) > 1:
    more = "more" if margin("common", "largest_common", "changed") > 0 else "no more"
    answer = (
        f"Set to zero, the common cells change the answer to {share('common', 'changed')} of"
        f" {in_words(len(pairs) - 1, 'error')} (all but the pair below), {more} than the same number"
        f" of the largest activations do ({share('largest_common', 'changed')}). We then gave cells"
        " the values of a similar right image, the *look-alike*. In the common cells these values"
        f" repair {share('common', 'repaired', 'patched')} of the errors, in the largest activations"
        f" {share('largest_common', 'repaired', 'patched')}, and in the cells found only in the error"
        f" {share('unique', 'repaired', 'patched')}. Set to zero, the three"
        f" sets repair {share('common', 'repaired')}, {share('largest_common', 'repaired')} and"
        f" {share('unique', 'repaired')}."
    )
Markdown(f"> **What came out.** {answer}") if len(pairs) != 1 else None

# %% [markdown]
# ## The pair
#
# The *look-alike* of an error is the correctly classified test image of its true class, at the
# same angle, that is nearest to it by the root mean square difference of their pixels. Like the
# paper we look at subject {paper}`f9.subject.subject`, and take its closest pair before anything is
# suppressed. Conclusions rest on all pairs.

# %%
for case in pair.cases:
    for name, label in (("subject", case.true), ("taken_for", case.predicted)):
        shown = run.classes[label]
        value = int(shown) if shown.isdigit() else shown
        record_numbers({f"f9.{run.task}.{name}": value})


# %% mystnb={"figure": {"name": "fig-pair", "caption": "The pair that this chapter looks at, after the paper's Figure 9: (a) the look-alike, which the network classifies correctly, and (b) the error, each with the network's answer and its probability. Right: the absolute difference of the two images, from none (white) to the largest (black)."}, "image": {"alt": "Two portraits of the same face, and a map that is white but for a few dark traces where they differ"}}
@style.styled()
def pair_figure():
    """Draw the look-alike, the error, and their difference."""
    figure, axes = style.grid(1, 3, aspect=1.25)
    case, images = pair.cases[0], []
    sides = ((case.lookalike, pair.right), (case.row, pair.wrong))
    for ax, letter, (row, trace) in zip(axes[0], "ab", sides, strict=False):
        images.append(run.faces.images[row])
        answer = style.short(run.classes[int(trace.predicted[0])], 16)
        chance = float(trace.probabilities[0].max())
        style.show_image(ax, images[-1], f"({letter}) answer {answer}, p = {chance:.2g}")
        words = [style.short(part, style.LONGEST) for part in cases.name_of(run, row).split(", ")]
        middle = (len(words) + 1) // 2
        ax.set_xlabel("\n".join(filter(None, map(", ".join, (words[:middle], words[middle:])))))
    style.show_map(axes[0, 2], np.abs(images[0].astype(float) - images[1]).mean(2))
    axes[0, 2].set_title("difference of the two images")
    axes[0, 2].set_xlabel(f"root mean square {case.distance:.3f} of the range")
    figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


pair_figure() if len(pair) else None

# %%
differ = [" and ".join(cases.differing(run, case)) or "nothing we know" for case in pair.cases]
said = [
    f"The two images differ in {aspects}. The paper's differ in gaze only." for aspects in differ
]
if any(run.classes[case.true] != wanted for case in pair.cases):
    said += [
        f"No error of subject {wanted} has a right look-alike here: this is the closest of all."
    ]
Markdown(" ".join(said)) if said else None

# %% [markdown]
# ## How many cells do they share?
#
# Backtracking finds the cells $L_a$ in the right image and $L_b$ in the wrong one, each from the
# class that the network gave. The common cells are $L_a \cap L_b$, by position in the last maps.
# The overlap (Jaccard), $|L_a \cap L_b| / |L_a \cup L_b|$, is their share of the cells found in
# either image. Two similar images have much the same active cells to begin with. So there are two
# yardsticks. *Chance* is the overlap of sets of these sizes, drawn at random from the active cells
# of each image. *Largest* is the overlap of the same numbers of cells of largest activation.
#
# The cells are those of the *cutoff*, the rule of the published code. We leave out the literal rule,
# Algorithm 1 as printed: it keeps (nearly) every active cell ({doc}`04_backtracking`), so that its
# overlap is that of the active cells and says nothing about backtracking.

# %%
shown = {rule: cases.overlap_table(pair, how) for rule, how in RULES.items()}
every = {rule: cases.overlap_table(pairs, how) for rule, how in RULES.items()}
names = {"pixels_right": "right", "pixels_wrong": "wrong", "unique_wrong": "unique"}
names |= {"common": "common", "jaccard": "jaccard"}
sizes = {
    rule: {name: value for name, column in names.items() for value in table[column]}
    for rule, table in shown.items()
}
found = cases.keyed("s1", run, sizes)
record_numbers(found)
cases.beside_paper(found, networks_of(study)) if found else None

# %% [markdown]
# The next table has means over all errors with a look-alike. Beside them stand pairs of *two right
# images*: each look-alike and the right image nearest to it. The last two rows are about the common
# cells' values; the next section defines the difference.

# %%
controls = cases.find_controls(run, pairs.cases)
compared, control = pairs.only(controls), cases.record_pairs(run, controls.values())
differing = {rule: cases.overlap_table(compared, how) for rule, how in RULES.items()}
alike = {rule: cases.overlap_table(control, how) for rule, how in RULES.items()}
rows = {
    "jaccard": "overlap",
    "largest": "overlap of the largest activations",
    "chance": "overlap by chance",
    "correlation": "correlation of common values",
    "difference": "difference of common values",
}
means = {
    "error and look-alike": differing["cutoff"].mean(),
    "two right images": alike["cutoff"].mean(),
}
means = pd.DataFrame(means).loc[list(rows)].rename(rows).map(paper.show, unit="share")
means.rename_axis(f"means of {in_words(len(compared), 'pair')}") if len(compared) else None

# %%
overlap, found = every["cutoff"], {}
for rule, how in RULES.items():
    both = cases.pixel_sets(pairs, how)
    found[rule] = {f"digest_{s}": digest(getattr(both, s)) for s in ("wrong", "right")}
found["cutoff"]["jaccard_all"] = estimate(overlap["jaccard"])
found["cutoff"]["jaccard_above_largest"] = estimate(overlap["jaccard"] - overlap["largest"])
record_numbers(cases.keyed("s1", run, found))
own, large, drawn = (overlap[name].mean() for name in ("jaccard", "largest", "chance"))
Markdown(
    f"Over all {in_words(len(pairs), 'pair')} the overlap exceeds chance by {own - drawn:.3f}. The"
    f" largest activations reach {(large - drawn) / (own - drawn):.0%} of that without backtracking."
) if own > drawn else None

# %% [markdown]
# ## How much do the shared values differ?
#
# The paper's Figure 10 plots the values of the common cells and calls them largely different. What
# is large? The right panel has a control: the right image (a) and a *second right image* of the same
# class and angle.


# %% mystnb={"figure": {"name": "fig-common-values", "caption": "Activations of the common cells (published cutoff), after the paper's Figure 10; each point is a cell. Left: its value in the right image (a) and in the wrong one (b). Right, a control: in (a) and in another image that the network classifies correctly. On the line the two values are equal."}, "image": {"alt": "Two scatter plots with a diagonal line, a point for each common cell"}}
second = control.only(controls[case] for case in pair.cases if case in controls)
panels = {
    "right and wrong image": (pair, "value in the wrong image (b)"),
    "two right images": (second, "value in another right image"),
}


@style.styled()
def diagonal_figure():
    """Draw the common cells' values in one image against those in another, on one scale."""
    figure, axes = style.grid(1, len(panels), aspect=0.9, sharex=True, sharey=True)
    for ax, (title, (shown, other)) in zip(axes[0], panels.items(), strict=True):
        chosen = cases.pixel_sets(shown, RULES["cutoff"]).common[:1]
        x, y = (trace.maps[:1][chosen].numpy() for trace in (shown.right, shown.wrong))
        ax.scatter(x, y, s=8, alpha=0.5, color=style.BLUE, edgecolors="none")
        ax.axline((0, 0), slope=1, color=style.GRAY, linewidth=0.8)
        ax.text(0.97, 0.04, in_words(int(chosen.sum())), ha="right", transform=ax.transAxes)
        ax.set(title=title, xlabel="value in the right image (a)", ylabel=other)
    return figure


diagonal_figure() if len(pair) else None

# %% [markdown]
# To compare all pairs, let the *difference* be the mean absolute difference of the common cells'
# values, as a share of their mean value: 0 where both images agree, 2 where one is always zero.

# %%
means = {
    rule: {
        f"{name}{end}": estimate(by[rule][name])
        for name in ("difference", "correlation")
        for end, by in (("", differing), ("_right", alike))
    }
    for rule in RULES
}
own, other = (table["cutoff"]["difference"].to_numpy() for table in (differing, alike))
means["cutoff"]["excess"] = estimate(own - other)
record_numbers(cases.keyed("f10", run, means))
Markdown(
    f"Between an error and its look-alike the common values differ by {np.nanmean(own):.1%} of their"
    f" mean, between two right images by {np.nanmean(other):.1%}. The error differs more in"
    f" {(own > other).sum()} of {in_words(len(own), 'pair')}."
) if np.isfinite(own - other).any() else None

# %% [markdown]
# ## The answer without the common cells
#
# The paper sets the common cells to zero and finds that the confidence is gone. We do the same for
# both images. Then we set the same number of other cells to zero: those of *largest activation*,
# and active ones at *random* (mean of several draws). Neither choice uses backtracking.

# %%
confidences = {
    rule: cases.confidence_table(
        *(t[rule][t[rule]["pair"].isin(place)] for t in (errors, lookalikes))
    )
    for rule in RULES
}

# %% mystnb={"figure": {"name": "fig-common-suppressed", "caption": "Probabilities for the pair when cells of the last maps are set to zero: none, the common ones, the same number of the largest activations, and of random active cells (mean over the draws). The number of cells is at the right end of each bar (published cutoff). Left: the right image (a), right: the wrong one (b). The table below has the probabilities beside the paper's."}, "image": {"alt": "Stacked bars, blue for the true class, red for the class that the wrong image was taken for, gray for all others"}}
COLOURS = {
    "true": (style.BLUE, "true class"),
    "predicted": (style.RED, "class that (b) was taken for"),
    "other": ("#c9c9c9", "all other classes"),
}


@style.styled()
def confidence_figure():
    """Draw the probabilities of both images without each set, and the number of its cells."""
    figure, axes = style.grid(1, 2, aspect=0.55, sharex=True, sharey=True)
    colours, names = map(list, zip(*COLOURS.values(), strict=True))
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
    for ax, image in zip(axes[0], cases.IMAGES, strict=True):
        shown = confidences["cutoff"].loc[image].loc[sets].rename(index=cases.SETS)
        bars = shown[list(COLOURS)].set_axis(names, axis=1)
        bars.plot.barh(stacked=True, ax=ax, color=colours, width=0.8, legend=False)
        for at, count in enumerate(shown["pixels"]):
            ax.text(0.985, at, f"{count:.0f}", ha="right", va="center", fontsize=7, bbox=box)
        ax.set(xlim=(0, 1), ylim=(len(sets) - 0.5, -0.5), ylabel="", title=image)
        ax.set_xlabel(f"probability\n(random: mean of {cases.DRAWS} draws)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


confidence_figure() if len(pair) else None

# %%
right, wrong = cases.IMAGES
places = {
    "right_before_true": (right, "nothing", "true"),
    "wrong_before_predicted": (wrong, "nothing", "predicted"),
    "wrong_before_true": (wrong, "nothing", "true"),
    "right_after_true": (right, "common", "true"),
    "wrong_after_predicted": (wrong, "common", "predicted"),
    "wrong_after_true": (wrong, "common", "true"),
    "wrong_after_elsewhere": (wrong, "common", "other"),
}
cells = {rule: table.stack().to_dict() for rule, table in confidences.items()}
probabilities = {
    rule: {
        name: cells[rule].get(place)
        for name, place in places.items()
        if rule == "cutoff" or "after" in name
    }
    for rule in RULES
}
found = cases.keyed("s2", run, probabilities)
record_numbers(found)
cases.beside_paper(found, networks_of(study)) if len(pair) else None

# %% [markdown]
# Is that so for other pairs, and does it take the common cells?

# %%
both, found = {}, {}
for rule in RULES:
    first, second = (cases.by_pair(t[rule], "changed") for t in (errors, lookalikes))
    change = {name: first[name, "zero"] * second[name, "zero"] for name in sets[1:]}
    both[rule] = {name: estimate(values) for name, values in change.items()}
    apart = change["common"] - change["largest_common"]
    found[rule] = {
        "both_change": both[rule]["common"],
        "both_change_above_largest": estimate(apart),
    }
record_numbers(cases.keyed("s2", run, found))
common, largest, drawn = both["cutoff"].values()
more = "more" if common.value > largest.value else "no more"
Markdown(
    f"Without the common cells *both* images change their class in {cases.with_error(common)} of"
    f" {in_words(len(pairs), 'pair')} (with standard error), {more} than without the same number of"
    f" the largest activations ({cases.with_error(largest)}). Without random active cells they do so"
    f" in {cases.with_error(drawn)}."
) if len(pairs) else None

# %% [markdown]
# ## All other errors
#
# Of its other {paper}`s3.subject.cases` errors the paper says, without a number, that the common
# cells largely determine the result. But any answer may change without so many cells. So we ask
# whether it changes *more often* than without the same number of random active cells, or of the
# largest activations. *Unique* cells are found in the error and not in its look-alike. *Excess*
# cells are the same number, chosen because their activation exceeds the look-alike's most, without
# any backtracking. The *repair set* is the smallest set found that makes the answer right
# ({doc}`09_repairs`).

# %%
changed, repaired = (
    {rule: cases.summarise(table, outcome, "random_common") for rule, table in others.items()}
    for outcome in ("changed", "repaired")
)

# %% mystnb={"figure": {"name": "fig-common-changed", "caption": "How often the answer to a misclassified image changes, to whatever class, when cells of its last maps are set to zero (published cutoff). Points are shares of all errors but the pair above, bars Wilson's 95 % intervals. Gray: random sets, means over draws."}, "image": {"alt": "A column of points with bars, one for each set of cells"}}
cases.rates_figure({"": changed["cutoff"]}, tried, "in which the answer changes")

# %%
Markdown(
    f"The answer changes in {share('common', 'changed')} of the errors without the common cells, in"
    f" {share('largest_common', 'changed')} without the largest activations, and in"
    f" {share('random_common', 'changed')} without random active cells."
) if len(pairs) > 1 else None

# %% [markdown]
# ### Values other than zero
#
# An image seldom gives maps with so many cells at zero. So the cells also take other values: the
# mean of their map (the channel's) over right images; what a random right image has in the same
# place; or what the *look-alike* has there (*patching*). If the values of the common cells decide,
# patching them makes the error right. The table has the share of the errors that become right, with
# its standard error.

# %%
kept = [name for name in tried if name != "all"]
cases.fills_table(others["cutoff"], "repaired", kept) if len(others["cutoff"]) else None

# %%
first = "unique", "common", "repaired"
turns = margin(*first, "zero") * margin(*first, "patched") < 0
more = margin("common", "largest_common", "repaired", "patched") > 0
Markdown(
    f"At zero the unique cells repair {share('unique', 'repaired')} of the errors and the common ones"
    f" {share('common', 'repaired')}, with the look-alike's values"
    f" {share('unique', 'repaired', 'patched')} and {share('common', 'repaired', 'patched')}. The"
    f" ranking of the two {'reverses' if turns else 'does not reverse'} with the value. With the"
    f" look-alike's values the common cells repair {'more' if more else 'no more'} errors than the"
    f" same number of the largest activations ({share('largest_common', 'repaired', 'patched')})."
) if len(pairs) > 1 else None

# %%
shown = {"common": "common", "largest": "largest_common", "random": "random_common"}
counts = {
    rule: {f"changed_{key}": cases.count(changed[rule], name) for key, name in shown.items()}
    | {
        f"repaired_{key}": cases.count(repaired[rule], name)
        for key, name in (shown | {"unique": "unique"}).items()
    }
    for rule in RULES
}
found = {f"s3.{run.task}.cases": len(pairs) - len(place)} | cases.keyed("s3", run, counts)
tests = {
    "changed_above_largest": ("common", "largest_common", "changed", "zero"),
    "changed_above_random": ("common", "random_common", "changed", "zero"),
    "patched_common_above_unique": ("common", "unique", "repaired", "patched"),
    "patched_common_above_largest": ("common", "largest_common", "repaired", "patched"),
}
for key, asked in tests.items():
    found[f"s3.{run.task}.{key}"] = cases.advantage(others["cutoff"], *asked)
record_numbers(found)

# %% [markdown]
# ## What may be concluded, and what may not
#
# We judge each claim over networks by a rule that was written before they were trained:

# %%
conclude(
    study,
    *("S1", "F10", "S2", "S3"),
    F9=f"the pair shown here differs in {differ[0]}, the paper's in gaze only"
    if differ
    else NO_PAIR,
)

# %% [markdown]
# - Similar images share most of their active cells and of their largest ones. An overlap means
#   something only beside these two.
# - F10 asks whether common values differ *more* than between two right images, not how strongly.
# - That an answer changes shows that cells were needed, not that *these* were. Others have to be
#   removed for comparison.
# - A network has never seen maps with so many cells at zero. What decides at zero need not decide
#   with values that an image could have.
