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
# # Misclassified cases
#
# Which images does a network misclassify? {cite:t}`fang2017` counts the errors of its two networks
# by camera angle, subject and emotion, and names the person and the expression that are confused
# most. Counts go up and down by chance. Which of these differences are more than that, in the paper
# and here?
#
# You will see error rates with intervals, the confusion matrix of each task that the source of the
# images has, the class of each that suffers most (in the paper a person and an emotion), and the
# errors that the networks were surest of.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import pandas as pd
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import misclassifications as errors
from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import networks_of, proportion_interval
from tinyvgg.chapters.verdicts import conclude, endings, record_numbers
from tinyvgg.training.experiments import open_study

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
runs = [study.run(task) for task in study.tasks]
identity, emotion = runs[0], runs[-1]

# %%
lines = []
for run in runs:
    for most in errors.confusions(run, 1).itertuples(index=False):
        true, taken, times = most[:3]
        worst = errors.missed(run)["rate"].idxmax()
        lines.append(
            f"for {paper.TASK_NAMES[run.task]} {len(run.errors):,} of {len(run.labels):,}: {worst} is"
            f" missed most, and the commonest error is {true} taken for {taken} ({times} images)"
        )
Markdown(f"> **What came out.** Errors on the test images: {'; '.join(lines)}.") if lines else None

# %%
endings(*runs)

# %% [markdown]
# ## The paper's counts beside ours
#
# Where a count is one of images, its interval is Wilson's for the share, times the number of test
# images. All of the paper's counts are from its section on misclassified cases.

# %%
counts = {key: count for run in runs for key, count in errors.counts(run).items()}
rows = []
for key, (count, images) in counts.items():
    interval = proportion_interval(count, images) if images else None
    rows.append(("", key, count, interval and tuple(round(share * images) for share in interval)))
compared = paper.compare(rows, networks_of(study)).drop(columns="place in the paper")
compared if len(compared) else None

# %%
record_numbers({key: count for key, (count, _) in counts.items()})

# %% [markdown]
# ## Error rates by what is known of an image

# %% mystnb={"figure": {"name": "fig-error-rates-by-factor", "caption": "Error rate on the test images by camera angle, gaze, emotion, sex and group, or by class where a source lists nothing else, with Wilson's 95 % intervals. Dotted: all test images. Diamonds: the paper's rates, where its counts give them."}, "image": {"alt": "Dots with horizontal intervals, one row for each level of each factor, one panel for each task"}}
errors.rates_figure(runs)

# %% mystnb={"figure": {"name": "fig-error-rates-by-subject", "caption": "Error rate of each subject with Wilson's 95 % interval. Dotted: all subjects together."}, "image": {"alt": "Dots with vertical intervals, one for each subject in the order of their numbers, one panel for each task"}}
errors.subjects_figure(runs)

# %% [markdown]
# ## More than chance?
#
# Suppose every test image were equally likely to be an error. Then as many errors as there are
# would still fall unevenly: some subjects would get several, others none. Drawing them at random
# over and over gives the range to expect, 95 % of all draws, for the paper's counts as well as
# for ours. The p values say how often chance is as uneven as what was found (by the chi-squared
# statistic).


# %%
def beside_chance(found, name):
    if found is None:
        return paper.NOTHING
    by_chance = errors.between(getattr(found, f"{name}_by_chance"))
    return f"{getattr(found, name) or paper.NOTHING} ({by_chance} by chance)"


tables = {}
for run in runs:
    theirs, found = errors.papers_chances(run.task), {}
    for factor in ("angle", "subject", "emotion", "gaze", "group", "sex", "class"):
        both = theirs.get(factor), errors.by_chance(run, factor)
        if factor == "subject":
            found["subjects with an error"] = [beside_chance(one, "involved") for one in both]
            found["errors of the worst subject"] = [beside_chance(one, "largest") for one in both]
        found[f"unevenness over {factor}, p"] = [errors.show_p(one) for one in both]
    table = pd.DataFrame.from_dict(found, orient="index", columns=["paper", "this run"])
    known = (table != paper.NOTHING).any(axis=1)
    tables[paper.TASK_NAMES[run.task]] = table[known]
pd.concat(tables, names=["task", "errors"])

# %% [markdown]
# Networks with different numbers of errors are compared by what chance gives each of them: the
# number of subjects with an error over the number to expect, and the chi-squared statistic over the
# angles over its mean by chance. Shares of missed images compare sad and surprised with the nearest
# of the other emotions.

# %%
spread = {key: value for run in runs for key, value in errors.spread(run).items()}
record_numbers(spread)
plain = {key: getattr(found, "value", found) for key, found in spread.items()}
rows = [("", key, value) for key, value in plain.items() if value == value]
paper.compare(rows, networks_of(study)).drop(columns=["95 % interval", "place in the paper"])

# %% [markdown]
# Read the paper's column first: where its count lies within the range of chance, nothing needs an
# explanation. The worst of so many people is then no harder to classify than the others: one of
# them has to be the worst.
#
# ## Confusion matrices

# %% mystnb={"figure": {"name": "fig-confusion-identity", "caption": "Confusion matrix of the first task: true class by row, class it was taken for by column. Right answers are on the diagonal, in gray; errors are red."}, "image": {"alt": "A square map or matrix of numbers, with red cells where one class was taken for another"}}
errors.confusion_figure(identity)

# %%
errors.confusions(identity)

# %% mystnb={"figure": {"name": "fig-confusion-emotion", "caption": "Confusion matrix of the last task, in numbers of images; errors in red, the darker the more."}, "image": {"alt": "A matrix of numbers, true class by row and class it was taken for by column, with the largest numbers on the diagonal"}}
style.second(errors.confusion_figure, runs)

# %%
errors.missed_table(emotion)

# %% [markdown]
# ## The classes that suffer most
#
# Each error stands above an image of the class that it was taken for, in circumstances that are
# otherwise the same, as far as the source lists them: for identity the other person with the same
# expression, gaze and angle; for emotion the same person with the other expression.

# %% mystnb={"figure": {"name": "fig-worst-identity", "caption": "Errors of the class of the first task that has the most (top), and images of the classes they were taken for, under the same circumstances where the set has such an image (bottom)."}, "image": {"alt": "A row of images of one class, below each an image of the class that it was taken for"}}
errors.worst_figure(identity)

# %% mystnb={"figure": {"name": "fig-worst-emotion", "caption": "Errors of the class of the last task that has the most (top), and images of the classes they were taken for, under the same circumstances where the set has such an image (bottom)."}, "image": {"alt": "A row of images of one class, below each an image of the class that it was taken for"}}
style.second(errors.worst_figure, runs)

# %% [markdown]
# ## Errors that the networks were sure of
#
# How sure is a network when it is wrong?

# %%
errors.confidence_table(runs)

# %% mystnb={"figure": {"name": "fig-gallery-identity", "caption": "Errors of the first task, the surest first: the image, its true class and the one it was taken for, and the probabilities of the likeliest classes (red: the answer, green: the truth)."}, "image": {"alt": "A gallery of misclassified portraits, below each a few bars with the probabilities of classes"}}
errors.gallery(identity)

# %% mystnb={"figure": {"name": "fig-gallery-emotion", "caption": "Errors of the last task, the surest first: the image, its true class and the one it was taken for, and the probabilities of the likeliest classes (red: the answer, green: the truth)."}, "image": {"alt": "A gallery of misclassified portraits, below each a few bars with the probabilities of classes"}}
style.second(errors.gallery, runs)

# %% [markdown]
# ## What may be concluded, and what may not
#
# Claims are judged over networks that differ in their seed, by rules that were written before these
# networks were trained. Each rule stands before its result.

# %%
conclude(study, "M1", "M2")

# %% [markdown]
# - Error counts by angle, subject or emotion describe one network on one split. Where a count is
#   within chance, a name such as that of the worst subject says nothing about the person; where
#   it is not, the spread over networks says whether another seed repeats it.
# - The emotions that are confused depend on how they are put on. On synthetic faces the renderer
#   prescribes that, in the same way for everyone; people differ more. It would be remarkable if the
#   same emotions suffered as in the paper; that others do is not.
# - None of this says *why* an image was misclassified. The following chapters ask that.
