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
from tinyvgg.chapters.verdicts import conclude, record_numbers
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
run = study.run(study.tasks[0])

# %%
pairs = cases.record_pairs(run, cases.find_cases(run))
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


def share(name, outcome, fill="zero"):
    """Print the share of the errors with an outcome, under the published code's cutoff."""
    return f"{cases.by_pair(errors['cutoff'], outcome)[name, fill].mean():.0%}"


NO_PAIR = "no error of this run has a right look-alike"
more = cases.advantage(errors["cutoff"], "common", "largest_common", "changed").value > 0
answer = (
    f"Without the common cells the answer changes {'more' if more else 'no more'} often than"
    f" without the same number of the largest activations: in {share('common', 'changed')} against"
    f" {share('largest_common', 'changed')} of {style.in_words(len(pairs), 'error')}. In the"
    " common cells the values of the *look-alike*, a similar right image, repair"
    f" {share('common', 'repaired', 'patched')} of the errors, in the largest activations"
    f" {share('largest_common', 'repaired', 'patched')}, and in the cells that only the error has"
    f" {share('unique', 'repaired', 'patched')}."
)
Markdown(f"> **What came out.** {answer if len(pairs) else f'N{NO_PAIR[1:]}.'}")

# %% [markdown]
# ## The pair
#
# The *look-alike* of an error is the correctly classified test image of its true class, at the
# same angle, that is nearest to it by the root mean square difference of their pixels. The paper's
# example is subject {paper}`f9.subject.subject`. We take the pair of that subject that is closest,
# and the closest of all where this subject has no error with a right look-alike.

# %%
wanted = str(paper.number("f9.subject.subject"))
label = run.classes.index(wanted) if wanted in run.classes else None
pair = pairs.only(cases.closest(pairs.cases, true=label))
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
# We show two rules: the *cutoff* of the published code, and the *literal* rule, Algorithm 1 as
# printed. The literal rule keeps (nearly) every active cell ({doc}`04_backtracking`). Its overlap
# is that of the active cells and says nothing about backtracking: we show it and do not count it.


# %% mystnb={"figure": {"name": "fig-common-places", "caption": "Backtracked cells of the pair by their place in the last maps, summed over the maps: white where no cell of a place is in the set, black where all are. Columns: the cells of the right image, of the wrong image, common to both, and of the wrong image only, with their number. Rows: the published code's cutoff, and the literal rule (Algorithm 1 as printed). The table below has these numbers beside the paper's."}, "image": {"alt": "Two rows of gray grids. Right image, wrong image and common cells look alike; the grid of the cells that only the wrong image has is nearly white"}}
@style.styled()
def places_figure():
    """Draw each set of cells under each rule, summed over the maps."""
    figure, axes = style.grid(len(RULES), 4, aspect=1.15)
    for row, (rule, how) in zip(axes, RULES.items(), strict=True):
        sets = cases.pixel_sets(pair, how)
        shown = {"right image": sets.right, "wrong image": sets.wrong}
        shown |= {"common": sets.common, "wrong image only": sets.unique}
        for ax, (title, pixels) in zip(row, shown.items(), strict=True):
            style.show_map(ax, pixels[0].sum(0).double().numpy(), top=float(pixels.shape[1]))
            ax.set_title(f"{title}: {int(pixels.sum())}")
            ax.spines[:].set(visible=True, color="#dddddd")
        row[0].set_ylabel(f"{rule} rule")
    return figure


places_figure() if len(pair) else None

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
# The next table has means over all errors with a look-alike. For comparison it has those of pairs
# of *two right images*: each look-alike and the right image nearest to it. `correlation` and
# `difference` are of the common cells' values; the next section defines the latter.

# %%
controls = cases.find_controls(run, pairs.cases)
compared, control = pairs.only(controls), cases.record_pairs(run, controls.values())
differing = {rule: cases.overlap_table(compared, how) for rule, how in RULES.items()}
alike = {rule: cases.overlap_table(control, how) for rule, how in RULES.items()}
means = {f"{rule}: error and look-alike": table.mean() for rule, table in differing.items()}
means |= {f"{rule}: two right images": table.mean() for rule, table in alike.items()}
means = pd.DataFrame(means).rename({name: f"cells, {name}" for name in cases.OVERLAP[:4]})
means.round(3).rename_axis(f"means of {len(compared)} pairs") if len(compared) else None

# %%
overlap, found = every["cutoff"], {}
for rule, how in RULES.items():
    both = cases.pixel_sets(pairs, how)
    found[rule] = {f"digest_{s}": digest(getattr(both, s)) for s in ("wrong", "right")}
found["cutoff"]["jaccard_all"] = estimate(overlap["jaccard"])
found["cutoff"]["jaccard_above_largest"] = estimate(overlap["jaccard"] - overlap["largest"])
record_numbers(cases.keyed("s1", run, found))
equal = int((every["literal"]["jaccard"] - every["literal"]["chance"]).abs().lt(1e-12).sum())
Markdown(
    f"Under the literal rule the overlap equals that of chance, to 12 digits, in {equal} of"
    f" {len(pairs)} pairs. Under the cutoff its mean is {overlap['jaccard'].mean():.3f}; that of"
    f" the same number of the largest activations is {overlap['largest'].mean():.3f}."
) if overlap["jaccard"].notna().any() else None

# %% [markdown]
# ## How much do the shared values differ?
#
# The paper's Figure 10 plots the values of the common cells and calls them largely different. What
# is large? The next figure has a control on the right: the right image (a) and a *second right
# image* of the same class and angle.


# %% mystnb={"figure": {"name": "fig-common-values", "caption": "Activations of the common cells, after the paper's Figure 10; each point is a cell. Left: its value in the right image (a) and in the wrong one (b). Right, a control: in (a) and in another image that the network classifies correctly. On the line the two values are equal. Rows: the published code's cutoff, and the literal rule."}, "image": {"alt": "Four scatter plots. Points lie around the diagonal line, on the left about as far from it as on the right"}}
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


second = control.only(controls[case] for case in pair.cases if case in controls)
sides = {
    "right and wrong image": (pair, "value in wrong image (b)"),
    "two right images": (second, "value in another right image"),
}
panels = []
for rule, how in RULES.items():
    row = []
    for title, (shown_pair, other) in sides.items():
        chosen = cases.pixel_sets(shown_pair, how).common[:1]
        values = [t.maps[:1][chosen].numpy() for t in (shown_pair.right, shown_pair.wrong)]
        labels, words = ("value in the right image (a)", other), f"{int(chosen.sum())} cells"
        row.append((f"{rule} rule: {title}", labels, values, words))
    panels.append(row)
diagonal_figure(panels) if len(pair) else None

# %% [markdown]
# To compare all pairs, let the *difference* be the mean absolute difference of the common cells'
# values, as a share of their mean value: 0 where both images agree, 2 where one is always zero.

# %% mystnb={"figure": {"name": "fig-common-differences", "caption": "Difference of the common cells' values (mean absolute difference over mean value); each point is an error. Vertical: between the error and its look-alike. Horizontal: between the look-alike and a second right image. Above the line the error differs from the look-alike more than the second right image does."}, "image": {"alt": "Two scatter plots, one for each rule, a point for each error, on both sides of a diagonal line"}}
panels = []
for rule, table in differing.items():
    x, y = alike[rule]["difference"].to_numpy(), table["difference"].to_numpy()
    words = f"{(y > x).sum()} of {len(y)} above the line"
    labels = ("two right images", "error and look-alike")
    panels.append((f"{rule} rule", labels, (x, y), words))
diagonal_figure([panels]) if len(compared) else None

# %%
means = {
    rule: {
        f"{name}{end}": estimate(by[rule][name])
        for name in ("difference", "correlation")
        for end, by in (("", differing), ("_right", alike))
    }
    for rule in RULES
}
apart = differing["cutoff"]["difference"].to_numpy() - alike["cutoff"]["difference"].to_numpy()
means["cutoff"]["excess"] = estimate(apart)
record_numbers(cases.keyed("f10", run, means))

# %% [markdown]
# ## The answer without the common cells
#
# The paper sets the common cells to zero and finds that the confidence is gone. We do the same for
# both images. Then we set the same number of other cells to zero: those of *largest activation*,
# and active ones at *random* (mean of several draws). Neither choice uses backtracking.

# %%
place = [pairs.cases.index(case) for case in pair.cases]
confidences = {
    rule: cases.confidence_table(
        *(t[rule][t[rule]["pair"].isin(place)] for t in (errors, lookalikes))
    )
    for rule in RULES
}

# %% mystnb={"figure": {"name": "fig-common-suppressed", "caption": "Probabilities for the pair when cells of the last maps are set to zero: none, the common ones, the same number of the largest activations, and of random active cells (mean over the draws). The number of cells is at the right end of each bar. Rows: the two rules; columns: the right image (a) and the wrong one (b). The table below has the probabilities beside the paper's."}, "image": {"alt": "Stacked bars. With all cells they are blue or red, for the true class or the wrong one; without the common cells and without the largest they are gray, for other classes"}}
COLOURS = {
    "true": (style.BLUE, "true class"),
    "predicted": (style.RED, "class that (b) was taken for"),
    "other": ("#c9c9c9", "all other classes"),
}


@style.styled()
def confidence_figure():
    """Draw the probabilities of both images without each set, and the number of its cells."""
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
# Is that so for other pairs, and does it take the common cells? The table has the share of all
# pairs in which *both* images change their class, with its standard error.

# %%
both, found = {}, {}
for rule in RULES:
    first, second = (cases.by_pair(t[rule], "changed") for t in (errors, lookalikes))
    change = {name: first[name, "zero"] * second[name, "zero"] for name in sets[1:]}
    apart = change["common"] - change["largest_common"]
    found[rule] = {
        "both_change": estimate(change["common"]),
        "both_change_above_largest": estimate(apart),
    }
    both[f"{rule} rule"] = {
        cases.SETS[name]: cases.with_error(estimate(values)) for name, values in change.items()
    }
record_numbers(cases.keyed("s2", run, found))
pd.DataFrame(both).rename_axis("at zero")

# %% [markdown]
# ## All other errors
#
# Of its other {paper}`s3.subject.cases` errors the paper says, without a number, that the common
# cells largely determine the result. But any answer may change without so many cells. So we ask
# whether it changes *more often* than without the same number of random active cells, or simply of
# the largest. *Unique* cells are found in the error and not in its look-alike. *Excess* cells are
# as many, those whose activation exceeds the look-alike's most, without any backtracking. The
# *repair set* is the smallest set found that makes the answer right ({doc}`09_repairs`).

# %%
others = {rule: table[~table["pair"].isin(place)] for rule, table in errors.items()}
changed, repaired = (
    {rule: cases.summarise(table, outcome, "random_common") for rule, table in others.items()}
    for outcome in ("changed", "repaired")
)

# %% mystnb={"figure": {"name": "fig-common-changed", "caption": "How often the answer to a misclassified image changes, to whatever class, when cells of its last maps are set to zero. Points are shares of all errors but the pair above, bars Wilson's 95 % intervals. Gray: random sets, means over draws. Left: the published code's cutoff; right: the literal rule."}, "image": {"alt": "Two panels of points, one for each rule. Those of the common cells and of the largest activations lie side by side near one, that of random sets under the cutoff far lower"}}
cases.rates_figure(changed, tried, "in which the answer changes")

# %% [markdown]
# ### Values other than zero
#
# An image seldom gives maps with so many cells at zero. So the cells also take other values: the
# mean of their map (the channel's) over right images, what a random right image has in the same
# place, or what the *look-alike* has there (*patching*). If the values of the common cells decide,
# patching them makes the error right. The first table has the share of the errors that become
# right, the second that of the errors whose answer changes at all, with standard errors (cutoff).

# %%
kept = [name for name in tried if name != "all"]
cases.fills_table(others["cutoff"], "repaired", kept) if len(others["cutoff"]) else None

# %%
cases.fills_table(others["cutoff"], "changed", kept) if len(others["cutoff"]) else None

# %% [markdown]
# The same as counts of errors, beside the paper's (cutoff, at zero):

# %%
columns = {
    "changed_common": (changed, "common"),
    "changed_largest": (changed, "largest_common"),
    "changed_random": (changed, "random_common"),
    "repaired_common": (repaired, "common"),
    "repaired_largest": (repaired, "largest_common"),
    "repaired_unique": (repaired, "unique"),
    "repaired_random": (repaired, "random_common"),
}
counts = {
    rule: {key: cases.count(table[rule], name) for key, (table, name) in columns.items()}
    for rule in RULES
}
found = {f"s3.{run.task}.cases": len(pairs) - len(place)} | cases.keyed("s3", run, counts)
intervals = {
    f"s3.{run.task}.{key}": cases.count_interval(table["cutoff"], name)
    for key, (table, name) in columns.items()
}
tests = {
    "changed_above_largest": ("common", "largest_common", "changed", "zero"),
    "changed_above_random": ("common", "random_common", "changed", "zero"),
    "patched_common_above_unique": ("common", "unique", "repaired", "patched"),
    "patched_common_above_largest": ("common", "largest_common", "repaired", "patched"),
}
for key, asked in tests.items():
    found[f"s3.{run.task}.{key}"] = cases.advantage(others["cutoff"], *asked)
record_numbers(found)
paper.compare(
    (("", key, found[key], intervals.get(key)) for key in (f"s3.{run.task}.cases", *intervals)),
    networks_of(study),
).drop(columns="place in the paper")

# %% [markdown]
# ## What may be concluded, and what may not
#
# We judge each claim over networks by a rule that was written before they were trained:

# %%
differ = [" and ".join(cases.differing(run, case)) or "nothing known" for case in pair.cases]
conclude(
    study,
    *("S1", "F10", "S2", "S3"),
    F9=f"an error and a right image of one class at one angle differ in {differ[0]}"
    if differ
    else NO_PAIR,
)

# %% [markdown]
# - Similar images have much the same active cells, and much the same large ones. So an overlap has
#   to be compared with that of chance, and with that of the largest activations.
# - If an answer changes without some cells, it needed cells. Whether it needed *these* takes a
#   comparison with the same number of others, and with the largest activations.
# - A network has never seen maps with so many cells at zero. Values of other images are nearer to
#   what it knows, and may reverse which of two sets repairs more.
# - We picked the pair before anything was suppressed: the closest one of the paper's subject or,
#   without one, of all. Conclusions rest on all pairs.
