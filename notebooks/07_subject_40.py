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
# # Two similar images, one of them wrong
#
# Two photographs of subject {paper}`f9.subject.subject` differ in little but the gaze. The network
# of {cite:t}`fang2017` identifies the subject in one and takes it for somebody else in the other.
# Backtracking finds mostly the same pixels in both images, at different values. Without these
# *common pixels* the network classifies neither image correctly. The paper concludes that the
# values of the common pixels decide.
#
# This chapter makes the same comparison, and adds what it lacks: other pairs, both readings of the
# backtracking rule, and controls. Do values differ less between two images that are both classified
# correctly? Does the answer stay when as many *other* pixels are suppressed?
#
# You will see one pair in detail, the values of its common pixels, its probabilities with and
# without them, and then the same for all other errors.

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
from tinyvgg.chapters.verdicts import conclude, record_numbers, whole
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
run = study.run(study.tasks[0])
Markdown(cases.network_sentence(run, "subject"))

# %% [markdown]
# ## The pair
#
# The *look-alike* of an error is the correctly classified test image of the same class, and at the
# same angle where angles are known, that is nearest to it by the root mean square difference of
# their pixels. The paper shows subject {paper}`f9.subject.subject`. Where that subject has an error
# in this run we take it too, and otherwise the closest pair of all:

# %%
wanted = str(paper.number("f9.subject.subject"))
label = run.classes.index(wanted) if wanted in run.classes else None
pairs = cases.record_pairs(run, cases.find_cases(run))
pair = pairs.only(cases.closest(pairs.cases, true=label))
others = pairs.only(case for case in pairs.cases if case not in pair.cases)
for case in pair.cases:
    for name, label in (("subject", case.true), ("taken_for", case.predicted)):
        shown = run.classes[label]
        value = int(shown) if shown.isdigit() else shown
        record_numbers({f"f9.{run.task}.{name}": value}, tolerance=100)
Markdown(cases.pair_sentence(run, pairs, pair, wanted))


# %% mystnb={"figure": {"name": "fig-pair", "caption": "The pair that this chapter looks at, after the paper's Figure 9: (a) an image that the network classifies correctly, (b) its look-alike that it gets wrong, with the answer and its probability, and where the two differ, in gray levels from none (white) to the largest difference (black)."}, "image": {"alt": "Two portraits of one class side by side and a map of the places where they differ"}}
@style.styled()
def pair_figure():
    """Draw the right image, its misclassified look-alike, and their difference."""
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
    axes[0, 2].set_title("difference of both, darkest where largest")
    axes[0, 2].set_xlabel(f"root mean square {case.distance:.3f} of the range")
    figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


pair_figure() if len(pair) else cases.NO_PAIR

# %% [markdown]
# ## How many pixels do they share?
#
# With $L_a$ and $L_b$ the pixels that backtracking finds in the two images, each followed back
# from the class that the network gave, the common pixels are $L_a \cap L_b$, by position in the
# last maps. The overlap is the share of the pixels of either image that are common, $|L_a \cap
# L_b| / |L_a \cup L_b|$ (Jaccard). *Chance* is the overlap that sets of these sizes would have if
# they were drawn from the active pixels of their images at random, and *largest* the overlap of
# the same number of pixels of largest activation: two similar images have much the same active
# pixels to begin with.
#
# Both readings of backtracking are shown: the published code's *cutoff* and Algorithm 1 to the
# *letter*, which may keep nearly every active pixel ({doc}`04_backtracking`).


# %% mystnb={"figure": {"name": "fig-common-places", "caption": "Where the pixels of the pair lie: the last maps summed over all maps, white where none of a place's pixels is in the set and black where all are, with the number of pixels above. Rows: the published code's cutoff, and Algorithm 1 to the letter."}, "image": {"alt": "Eight small gray grids in two rows, for the right image, the wrong one, the common pixels and those of the wrong one alone"}}
@style.styled()
def places_figure():
    """Draw each set of pixels under each rule, summed over the maps."""
    figure, axes = style.grid(len(RULES), 4, aspect=1.15)
    for row, (rule, how) in zip(axes, RULES.items(), strict=True):
        sets = cases.pixel_sets(pair, how)
        shown = {"right image": sets.right, "wrong image": sets.wrong}
        shown |= {"common": sets.common, "only the wrong": sets.unique}
        for ax, (title, pixels) in zip(row, shown.items(), strict=True):
            style.show_map(ax, pixels[0].sum(0).double().numpy(), top=float(pixels.shape[1]))
            ax.set_title(f"{title}: {int(pixels.sum())}")
            ax.spines[:].set(visible=True, color="#dddddd")
        row[0].set_ylabel(f"{rule} rule")
    return figure


places_figure() if len(pair) else cases.NO_PAIR

# %%
shown = {rule: cases.overlap_table(pair, how) for rule, how in RULES.items()}
every = {rule: cases.overlap_table(pairs, how) for rule, how in RULES.items()}
names = {
    "pixels_right": "right",
    "pixels_wrong": "wrong",
    "common": "common",
    "unique_wrong": "unique",
    "jaccard": "jaccard",
}
sizes = {
    rule: {name: value for name, column in names.items() for value in table[column]}
    for rule, table in shown.items()
}
found = cases.keyed("s1", run, sizes)
for key, value in found.items():
    record_numbers({key: value}, tolerance=0.6 * abs(value))
whole(cases.beside_paper(found))

# %% [markdown]
# The next table has the means over all errors with a look-alike, beside those of two images that
# are *both right*: each look-alike and the right image nearest to it. `difference` is explained
# below.

# %%
controls = cases.find_controls(run, pairs.cases)
compared, control = pairs.only(controls), cases.record_pairs(run, controls.values())
differing = {rule: cases.overlap_table(compared, how) for rule, how in RULES.items()}
alike = {rule: cases.overlap_table(control, how) for rule, how in RULES.items()}
means = {f"{rule}: error and look-alike": table.mean() for rule, table in differing.items()}
means |= {f"{rule}: two right images": table.mean() for rule, table in alike.items()}
whole(pd.DataFrame(means).T.round(3).rename_axis(f"means of {len(compared)} pairs"))

# %% [markdown]
# ## How much do the shared values differ?
#
# The paper's Figure 10 plots the values of the common pixels and calls them largely different.
# Different from what? The right half of the next figure has the control: the right image (a)
# against a *second right image* of the same class and angle.


# %% mystnb={"figure": {"name": "fig-common-values", "caption": "Activations of the common pixels, after the paper's Figure 10. Left: in the right image (a) and in the wrong one (b). Right: in (a) and in another image that the network classifies correctly. On the line the two values are equal. Rows: the two rules."}, "image": {"alt": "Four scatter plots of activations of common pixels around a diagonal line"}}
@style.styled()
def diagonal_figure(panels):
    """Draw values against others, with the line where both are equal; a row shares a scale."""
    figure, axes = style.grid(len(panels), len(panels[0]), aspect=0.9)
    for row, shown in zip(axes, panels, strict=True):
        top = 1.05 * max(np.nanmax([*x, *y, 0]) for _, _, (x, y), _ in shown) or 1
        for ax, (title, labels, values, words) in zip(row, shown, strict=True):
            ax.scatter(*values, s=8, alpha=0.5, color=style.BLUE, edgecolors="none")
            ax.axline((0, 0), slope=1, color=style.GRAY, linewidth=0.8)
            ax.text(0.97, 0.04, words, ha="right", transform=ax.transAxes)
            ax.set(title=title, xlim=(0, top), ylim=(0, top), xlabel=labels[0], ylabel=labels[1])
    return figure


def common_values(pairs, how):
    """Return the values of the first pair's common pixels, in the right image and in the other."""
    chosen = cases.pixel_sets(pairs, how).common[:1]
    return pairs.right.maps[:1][chosen].numpy(), pairs.wrong.maps[:1][chosen].numpy()


second = control.only(controls[case] for case in pair.cases if case in controls)
sides = {
    "right and wrong image": (pair, "value in wrong image (b)"),
    "two right images": (second, "value in another right image"),
}
panels = []
for rule, how in RULES.items():
    row = []
    for title, (shown_pair, other) in sides.items():
        values, labels = common_values(shown_pair, how), ("value in the right image (a)", other)
        words = f"{len(values[0])} pixels"
        row.append((f"{rule} rule: {title}", labels, values, words))
    panels.append(row)
diagonal_figure(panels) if len(pair) else cases.NO_PAIR

# %% [markdown]
# For all pairs at once, let the *difference* be the mean absolute difference of the common
# pixels' values, as a share of their mean value: 0 where they are equal, 2 where one is always
# zero.

# %% mystnb={"figure": {"name": "fig-common-differences", "caption": "Relative difference of the common pixels' values for each error: between error and look-alike (vertical), and between the look-alike and a second right image (horizontal). Above the line the error differs more than a right image would."}, "image": {"alt": "Two scatter plots with a diagonal line, one for each rule, a point for each error"}}
panels = []
for rule, table in differing.items():
    x, y = alike[rule]["difference"].to_numpy(), table["difference"].to_numpy()
    words = f"{(y > x).sum()} of {len(y)} above the line"
    labels = ("two right images", "error and look-alike")
    panels.append((f"{rule} rule", labels, (x, y), words))
diagonal_figure([panels]) if len(compared) else cases.NO_PAIR

# %%
means = {
    rule: {
        f"{name}{end}": by[rule][name].mean()
        for name in ("difference", "correlation")
        for end, by in (("", differing), ("_right", alike))
    }
    for rule in RULES
}
record_numbers(cases.keyed("f10", run, means), tolerance=0.4)

# %% [markdown]
# ## The answer without the common pixels
#
# The paper sets the common pixels to zero and finds that the confidence is gone. We do the same,
# for both images, and then with as many pixels chosen otherwise: active ones at *random* (mean of
# several draws), and the most *contrastive* ones, those with the largest share in the logit of the
# wrong class minus that of the true one (in the right image the other way round). The head of the
# network is piecewise linear, so a pixel's share in a logit is exactly its activation times the
# logit's gradient.


# %%
def suppress(pairs):
    """Set every set of pixels to zero, found by each rule."""
    return {rule: cases.suppression_table(pairs, how, seed=seed) for rule, how in RULES.items()}


errors, lookalikes = suppress(pair), suppress(pair.reversed())
confidences = {rule: cases.confidence_table(errors[rule], lookalikes[rule]) for rule in RULES}
sets = ["nothing", "common", "random_common", "contrastive_common"]

# %% mystnb={"figure": {"name": "fig-common-suppressed", "caption": "Probabilities of the pair with all pixels, without the common ones, and without as many others (their number is at the right end of each bar; for random pixels the mean over the draws). Rows: the two rules; columns: the right image (a) and the wrong one (b)."}, "image": {"alt": "Stacked horizontal bars of the probabilities of the true class, the class that the error was taken for and all others, for four choices of pixels"}}
COLOURS = {
    "true": (style.BLUE, "true class"),
    "predicted": (style.RED, "class that (b) was taken for"),
    "other": ("#c9c9c9", "all other classes"),
}


@style.styled()
def confidence_figure():
    """Draw the probabilities of both images without each set, and the number of its pixels."""
    figure, axes = style.grid(len(RULES), 2, aspect=0.55, sharex=True, sharey=True)
    colours, names = map(list, zip(*COLOURS.values(), strict=True))
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
    for row, (rule, table) in zip(axes, confidences.items(), strict=True):
        for ax, image in zip(row, cases.IMAGES, strict=True):
            shown = table.loc[image].loc[sets].rename(index=cases.SETS)
            bars = shown[list(COLOURS)].set_axis(names, axis=1)
            bars.plot.barh(stacked=True, ax=ax, color=colours, width=0.8, legend=False)
            for place, count in enumerate(shown["pixels"]):
                ax.text(0.985, place, f"{count:.0f}", ha="right", va="center", fontsize=7, bbox=box)
            ax.set(xlim=(0, 1), ylim=(len(sets) - 0.5, -0.5), ylabel="")
            ax.set_title(f"{image}, {rule} rule")
    for ax in axes[-1]:
        ax.set_xlabel(f"probability\n(random: mean of {cases.DRAWS} draws)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


confidence_figure() if len(pair) else cases.NO_PAIR

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
record_numbers(found, tolerance=1)
whole(cases.beside_paper(found))

# %% [markdown]
# ## All other errors
#
# The paper says of its other {paper}`s3.subject.cases` errors that the common pixels largely
# determine the result, without a number. With so many pixels there is much to lose, so the
# question is whether the answer changes *more often* than without as many random active pixels,
# and whether it becomes *right*. Intervals are Wilson's {cite:p}`wilson1927`, over the errors;
# since a mean over draws varies less than a single answer, those of random sets are rather too wide
# than too narrow. Intervals of differences come from a bootstrap over the errors
# {cite:p}`efron1979`, which says nothing (a dash) where all errors differ alike. The last set is
# the smallest one found that makes the answer right, whatever the rule (`repair`, see
# {doc}`09_repairs`).


# %%
def summarise(tables, outcome):
    """Count an outcome under each rule, beside as many random pixels as common ones."""
    return {rule: cases.summarise(t, outcome, "random_common") for rule, t in tables.items()}


suppressed = suppress(others)
changed, repaired = summarise(suppressed, "changed"), summarise(suppressed, "repaired")
names = ["all", "common", "random_common", "contrastive_common", "unique", "random", "repair"]

# %% mystnb={"figure": {"name": "fig-common-changed", "caption": "How often the answer to a misclassified image changes, to whatever class, when pixels of its last maps are set to zero. Points are shares of all other errors, bars 95 % intervals; random sets in gray."}, "image": {"alt": "Two panels of points with error bars, one for each rule, for seven choices of pixels"}}
cases.rates_figure(changed, names, "in which the answer changes")

# %% mystnb={"figure": {"name": "fig-common-repaired", "caption": "How often the answer becomes right, for the same errors and choices of pixels as in the figure before."}, "image": {"alt": "Two panels of points with error bars, one for each rule, for seven choices of pixels"}}
cases.rates_figure(repaired, names, "that become right")

# %% [markdown]
# Changed answers under the cutoff, with the difference to random pixels of the common ones'
# number:

# %%
whole(cases.rates_table(changed["cutoff"], names))

# %% [markdown]
# The same for the right images, the look-alikes:

# %%
kept = summarise(suppress(others.reversed()), "changed")["cutoff"]
whole(cases.rates_table(kept, ["common", "random_common", "unique", "random"]))

# %%
counts = {
    rule: {
        "changed_common": cases.count(changed[rule], "common"),
        "changed_random": cases.count(changed[rule], "random_common"),
        "repaired_common": cases.count(repaired[rule], "common"),
        "repaired_unique": cases.count(repaired[rule], "unique"),
        "repaired_random": cases.count(repaired[rule], "random_common"),
    }
    for rule in RULES
}
found = {f"s3.{run.task}.cases": len(others)} | cases.keyed("s3", run, counts)
for key, value in found.items():
    record_numbers({key: value}, tolerance=max(5, 0.6 * value))
intervals = {
    f"s3.{run.task}.cases": None,
    f"s3.{run.task}.changed_common": cases.count_interval(changed["cutoff"], "common"),
    f"s3.{run.task}.changed_random": cases.count_interval(changed["cutoff"], "random_common"),
    f"s3.{run.task}.repaired_common": cases.count_interval(repaired["cutoff"], "common"),
    f"s3.{run.task}.repaired_unique": cases.count_interval(repaired["cutoff"], "unique"),
    f"s3.{run.task}.repaired_random": cases.count_interval(repaired["cutoff"], "random_common"),
}
whole(paper.compare(("", key, found[key], interval) for key, interval in intervals.items()))

# %% [markdown]
# ## What may be concluded, and what may not
#
# Each claim gets two points under each rule; it holds where it gets both points under both rules,
# and does not hold where it gets none.
#
# - **F9** holds where the pair differs in gaze only, in part where it differs in more.
# - **S1**: both points where more than half of the pixels of either image are common.
# - **F10**: one point where the common values differ more between error and look-alike than
#   between two right images (95 % interval of the mean difference above zero), the second where
#   they differ by a quarter of their mean at least.
# - **S2**: one point where both answers change without the common pixels, the second where they
#   mostly stay without as many random ones.
# - **S3**: one point where most answers change (interval above one half), one where more of them
#   change than without random pixels (interval of the difference above zero).

# %%
conclude(
    [
        cases.judge_pair(run, pair),
        cases.judge_overlap(run, shown, every),
        cases.judge_values(run, differing, alike),
        cases.judge_confidence(run, errors, lookalikes),
        cases.judge_common(run, changed),
    ]
)

# %% [markdown]
# - Similar images have much the same active pixels, and much the same large ones. Compare an
#   overlap with those that chance and mere size of activation give.
# - That an answer changes without some pixels says that the answer needed pixels, and not yet
#   that it needed these. Only the difference to random pixels of the same number speaks about the
#   choice.
# - Zero is a value that such maps seldom have in so many places at once. What a network answers
#   to such maps is an answer to something that it has never seen; other fill values are not
#   tested here.
# - The shown pair is one of many and was picked because it is the paper's subject or the most
#   similar pair, not for what suppression does to it. Conclusions rest on all pairs.
