# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Misclassified cases
#
# Which images does a network misclassify? {cite:t}`fang2017` counts the errors of its two networks
# by camera angle, subject and emotion, and names the person and the expression that are confused
# most. Counts go up and down by chance. Which of these differences are more than chance, in the
# paper and here?

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
from tinyvgg.chapters import misclassifications as errors
from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import holm, networks_of, proportion_interval
from tinyvgg.chapters.verdicts import LESS_THAN, conclude, endings, record_numbers
from tinyvgg.training.experiments import open_study

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
runs = [study.run(task) for task in study.tasks]
identity, emotion = runs[0], runs[-1]
endings(*runs)

# %%
FACTORS = ("angle", "subject", "emotion", "gaze", "sex", "class")
chances = {run.task: {factor: errors.by_chance(run, factor) for factor in FACTORS} for run in runs}
raw = {
    (task, factor): one.p_value for task, of in chances.items() for factor, one in of.items() if one
}
p_values = dict(zip(raw, holm(list(raw.values())), strict=True))
lines = [
    "In the paper three differences are more than chance, all of them for emotion: errors gather on"
    " fewer subjects than by chance, sad is missed often, and surprised seldom. The paper's counts by"
    " angle, and those of the subjects for identity, are what chance gives."
]
for run in runs:
    if len(run.errors):
        most = errors.missed(run).sort_values("rate", ascending=False, kind="stable").iloc[0]
        pair, times = errors.confused_pair(run)
        worst, *pair = (style.in_markdown(name) for name in (str(most.name), *pair))
        uneven = [factor for factor in FACTORS if p_values.get((run.task, factor), 1.0) < LESS_THAN]
        said = f"By the test its errors are uneven over {' and '.join(uneven) or 'no factor'}."
        lines.append(
            f"The network for {paper.TASK_NAMES[run.task]} here misclassifies {len(run.errors):,} of"
            f" {len(run.labels):,} test images. {said} It misses *{worst}* most"
            f" ({most['rate']:.1%} of its images). Confused most are *{pair[0]}* and *{pair[1]}*"
            f" ({style.share_in_words(times, len(run.errors))})."
        )
Markdown(f"> **What came out.** {' '.join(lines)}") if len(lines) > 1 else None

# %% [markdown]
# ## The paper's counts beside ours
#
# The paper's counts are from its section on misclassified cases. Intervals are Wilson's for the
# share of the test images, times their number. Over several networks the table has the mean ±
# standard deviation.

# %%
counts = {key: count for run in runs for key, count in errors.counts(run).items()}
rows, outside = [], []
for key, (count, images) in counts.items():
    interval = proportion_interval(count, images) if images else None
    bounds = interval and tuple(round(share * images) for share in interval)
    rows.append(("", key, count, bounds))
    theirs = paper.load().numbers.get(key)
    if bounds and theirs and not bounds[0] <= theirs.value <= bounds[1]:
        outside.append(theirs.full_label)
compared = paper.compare(rows, networks_of(study)).drop(columns="place in the paper")
record_numbers({key: count for key, (count, _) in counts.items()})
compared if len(compared) else None

# %%
far = f"These counts of the paper lie outside the interval: {'; '.join(outside)}."
Markdown(far if outside else "All counts of the paper lie in the intervals.") if rows else None

# %% [markdown]
# ## Error rates by what is known about an image

# %% mystnb={"figure": {"name": "fig-error-rates-by-factor", "caption": "Error rate on the test images by what the database lists of an image, with Wilson's 95 % intervals. Dotted: the rate on all test images."}, "image": {"alt": "One panel for each task, a dot with its interval for each level of each factor, beside a dotted line for the mean"}}
errors.rates_figure(runs)

# %%
lines = []
for run in runs:
    levels = pd.concat({factor: errors.rates(run, factor) for factor in errors.FACTORS})
    for word, beside in (
        ("more", levels["low"] > 1 - run.accuracy),
        ("fewer", levels["high"] < 1 - run.accuracy),
    ):
        names = ", ".join(f"{level} ({factor})" for factor, level in levels.index[beside])
        if names:
            lines.append(f"for {paper.TASK_NAMES[run.task]} {word} errors: {names}")
apart = f"These levels lie with their whole interval on one side of the line: {'; '.join(lines)}."
Markdown(style.in_markdown(apart)) if lines else None

# %% [markdown]
# ## More than chance?
#
# Suppose every test image were equally likely to be an error. Errors would still fall unevenly:
# some subjects would get several, others none. We draw the same number of errors at random, over
# and over. Brackets hold 95 % of the draws. A p value is the share of draws that are at least as
# uneven as what was found (by the chi-squared statistic). Those of this run are corrected for their
# number (Holm).

# %%
COUNTS = [
    ("subject", "involved", "subjects with an error"),
    *(
        (factor, name, f"errors of the {word} {factor}")
        for factor in ("subject", "emotion", "class")
        for name, word in (("largest", "worst"), ("least", "best"))
        if (factor, name) != ("subject", "least")
    ),
]


def beside_chance(found, name):
    if found is None:
        return paper.NOTHING
    low, high = getattr(found, f"{name}_by_chance")
    known = getattr(found, name) or name == "least"
    return f"{getattr(found, name) if known else paper.NOTHING} ({low:.0f} to {high:.0f})"


tables = {}
for run in runs:
    theirs, ours, found = errors.papers_chances(run.task), chances[run.task], {}
    for factor, name, label in COUNTS:
        found[label] = [beside_chance(each.get(factor), name) for each in (theirs, ours)]
    for factor in FACTORS:
        corrected = paper.show(p_values.get((run.task, factor)), "share")
        found[f"unevenness by {factor}, p"] = [errors.show_p(theirs.get(factor)), corrected]
    table = pd.DataFrame.from_dict(found, orient="index", columns=["paper", "this run"])
    tables[paper.TASK_NAMES[run.task]] = table[(table != paper.NOTHING).any(axis=1)]
pd.concat(tables, names=["task", "errors"])

# %% [markdown]
# **In the paper**, errors fall on the angles as evenly as by chance in both tasks. For identity the
# other counts are within chance, too: the number of subjects with an error, and the errors of the
# worst subject. Among so many people one has to be the worst, without being harder to classify. For
# emotion three differences are more than chance. The errors gather on fewer subjects than random
# errors do. Sad is missed {paper}`m2.emotion.sad_errors` times, more than chance gives even the
# worst emotion, and {paper}`m2.emotion.sad_as_neutral` times it is taken for neutral. Surprised is
# missed {paper}`m2.emotion.surprised_errors` times, less than chance gives even the best.
#
# **In this run** a count of the last column is within chance if it lies in its brackets. One
# network may lie within chance and several outside: M1 and M2, below, compare over networks.

# %%
spread = {key: value for run in runs for key, value in errors.spread(run).items()}
record_numbers(spread)

# %% [markdown]
# ## Confusion matrices

# %% mystnb={"figure": {"name": "fig-confusion-identity", "caption": "Confusion matrix: true class by row, class it was taken for by column. Right answers are on the diagonal, in gray; errors are red, the darker the more."}, "image": {"alt": "A square with a gray diagonal. Errors are red spots beside it, scattered over the classes"}}
errors.confusion_figure(identity)

# %% mystnb={"figure": {"name": "fig-confusion-emotion", "caption": "Confusion matrix in numbers of images: true class by row, class it was taken for by column. Right answers are gray; errors are red, the darker the more."}, "image": {"alt": "A matrix of numbers, the largest on the diagonal. Beside it a few fields are dark red, the others pale or empty"}}
errors.confusion_figure(emotion) if len(runs) > 1 else None

# %%
errors.missed_table(emotion)

# %% [markdown]
# ## Errors that the networks were sure of

# %%
lines = []
for run in runs:
    wrong, places = run.predicted != run.labels, np.arange(len(run.labels))
    answer, truth = run.probabilities.max(1)[wrong], run.probabilities[places, run.labels][wrong]
    second = run.logits.argsort(dim=1, descending=True, stable=True)[:, 1].numpy() == run.labels
    if wrong.any():
        lines.append(
            f"For {paper.TASK_NAMES[run.task]} a wrong answer has a median probability of"
            f" {np.median(answer):.2f}, the true class one of {np.median(truth):.2f}. In"
            f" {style.share_in_words(int(second[wrong].sum()), int(wrong.sum()))} the true class"
            " comes second."
        )
Markdown(" ".join(lines)) if lines else None

# %% mystnb={"figure": {"name": "fig-gallery", "caption": "Misclassified images, the surest first: the image, its true class and the one it was taken for, and the probabilities of the likeliest classes (red: the answer, green: the truth)."}, "image": {"alt": "Rows of misclassified portraits. Below each are bars for the likeliest classes, one of them red and one green"}}
errors.gallery(emotion)

# %% [markdown]
# ## What may be concluded, and what may not
#
# Claims about networks are judged over several networks, which differ in their seed, by a rule
# written before they were trained. Their p values are corrected for all tests of this book, the
# intervals are not. M2 is judged on how emotions look in these faces. The renderer of the synthetic
# ones gives everyone the same expressions, and real people differ more: that other emotions are
# confused than in the paper says nothing about the paper's photographs.

# %%
conclude(study, "M1", "M2")

# %% [markdown]
# - Error counts by angle, subject or emotion describe one network on one split. A count within
#   chance says nothing about a person, such as the worst subject.
# - None of this says *why* an image was misclassified. The following chapters ask that.
