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
from tinyvgg.chapters.statistics import networks_of, proportion_interval
from tinyvgg.chapters.verdicts import conclude, endings, record_numbers
from tinyvgg.training.experiments import open_study

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
runs = [study.run(task) for task in study.tasks]
identity, emotion = runs[0], runs[-1]

# %%
FACTORS = ("angle", "subject", "emotion", "gaze", "group", "sex", "class")
chances = {run.task: {factor: errors.by_chance(run, factor) for factor in FACTORS} for run in runs}
lines = []
for run in runs:
    if len(run.errors):
        most = errors.missed(run).sort_values("rate", ascending=False, kind="stable").iloc[0]
        worst, taken = (style.in_markdown(str(name)) for name in (most.name, most["taken_for"]))
        known = {factor: one.p_value < 0.05 for factor, one in chances[run.task].items() if one}
        uneven, even = (", ".join(f for f, p in known.items() if p == is_) for is_ in (True, False))
        said = [f"less evenly than by chance over {uneven} (p < 0.05)"] if uneven else []
        said += [f"about as evenly as by chance over {even}"] if even else []
        lines.append(
            f"The network for {paper.TASK_NAMES[run.task]} misclassifies {len(run.errors):,} of"
            f" {len(run.labels):,} test images. Missed most is *{worst}*, most often taken for"
            f" *{taken}*. Its errors are spread {', and '.join(said)}."
        )
Markdown(f"> **What came out.** {' '.join(lines)}") if lines else None

# %%
endings(*runs)

# %% [markdown]
# ## The paper's counts beside ours
#
# The paper's counts are from its section on misclassified cases. Intervals are Wilson's for the
# share of the test images, times their number. Over several networks: mean ± standard deviation.

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
# ## Error rates by what is known about an image

# %% mystnb={"figure": {"name": "fig-error-rates-by-factor", "caption": "Error rate on the test images by what the database lists of an image, with Wilson's 95 % intervals. Dotted: the rate on all test images."}, "image": {"alt": "One panel for each task, a dot with its interval for each level of each factor. Some dots lie far from the dotted line of the mean"}}
errors.rates_figure(runs)

# %% [markdown]
# ## More than chance?
#
# Suppose every test image were equally likely to be an error. Errors would still fall unevenly:
# some subjects would get several, others none. We draw as many errors at random, over and over.
# Brackets hold 95 % of the draws, for the paper's number of errors and for ours. A p value is the
# share of draws that are at least as uneven as what was found (by the chi-squared statistic).


# %%
def beside_chance(found, name):
    if found is None:
        return paper.NOTHING
    low, high = getattr(found, f"{name}_by_chance")
    return f"{getattr(found, name) or paper.NOTHING} ({low:.0f} to {high:.0f})"


tables = {}
for run in runs:
    theirs, found = errors.papers_chances(run.task), {}
    for factor in FACTORS:
        both = theirs.get(factor), chances[run.task][factor]
        if factor == "subject":
            found["subjects with an error"] = [beside_chance(one, "involved") for one in both]
            found["errors of the worst subject"] = [beside_chance(one, "largest") for one in both]
        found[f"unevenness over {factor}, p"] = [errors.show_p(one) for one in both]
    table = pd.DataFrame.from_dict(found, orient="index", columns=["paper", "this run"])
    known = (table != paper.NOTHING).any(axis=1)
    tables[paper.TASK_NAMES[run.task]] = table[known]
pd.concat(tables, names=["task", "errors"])

# %% [markdown]
# Read the paper's column first. A count within the range of chance needs no explanation. Among so
# many people one has to be the worst by chance alone, without being harder to classify.
#
# Networks make different numbers of errors. To compare them we divide by what chance gives: the
# number of subjects with an error by its expected value, and the chi-squared statistic over the
# angles by its mean. Sad and surprised are compared with the nearest of the other emotions.

# %%
spread = {key: value for run in runs for key, value in errors.spread(run).items()}
record_numbers(spread)
plain = {key: getattr(found, "value", found) for key, found in spread.items()}
rows = [("", key, value) for key, value in plain.items() if value == value]
dropped = ["paper", "95 % interval", "place in the paper"]
paper.compare(rows, networks_of(study)).drop(columns=dropped) if rows else None

# %% [markdown]
# ## Confusion matrices

# %% mystnb={"figure": {"name": "fig-confusion-identity", "caption": "Confusion matrix: true class by row, class it was taken for by column. Right answers are on the diagonal, in gray; errors are red, the darker the more."}, "image": {"alt": "A square with a gray diagonal. Errors are red spots beside it, scattered over the classes"}}
errors.confusion_figure(identity)

# %%
errors.missed_table(identity)

# %% mystnb={"figure": {"name": "fig-confusion-emotion", "caption": "Confusion matrix in numbers of images: true class by row, class it was taken for by column. Right answers are gray; errors are red, the darker the more."}, "image": {"alt": "A matrix of numbers, the largest on the diagonal. Beside it a few fields are dark red, the others pale or empty"}}
errors.confusion_figure(emotion) if len(runs) > 1 else None

# %%
errors.missed_table(emotion)

# %% [markdown]
# ## Errors that the networks were sure of
#
# How sure is a network when it is wrong? The table has the median probabilities of its answer and
# of the true class, for right and wrong answers, and how often the true class comes second.


# %%
def median(values):
    return paper.show(float(pd.Series(values).median()), "probability")


sure = {}
for run in runs:
    wrong, places = run.predicted != run.labels, np.arange(len(run.labels))
    answer, truth = run.probabilities.max(1), run.probabilities[places, run.labels]
    second = run.logits.argsort(dim=1, descending=True, stable=True)[:, 1].numpy()
    sure[paper.TASK_NAMES[run.task]] = {
        "right: median of the answer": median(answer[~wrong]),
        "wrong: median of the answer": median(answer[wrong]),
        "wrong: median of the truth": median(truth[wrong]),
        "wrong: truth comes second": f"{(second == run.labels)[wrong].sum()} of {wrong.sum()}",
    }
pd.DataFrame(sure)

# %% mystnb={"figure": {"name": "fig-gallery-identity", "caption": "Misclassified images, the surest first: the image, its true class and the one it was taken for, and the probabilities of the likeliest classes (red: the answer, green: the truth)."}, "image": {"alt": "Rows of misclassified portraits. Below each a long red bar for the answer; the green one for the truth is short, or too short to see"}}
errors.gallery(identity)

# %% mystnb={"figure": {"name": "fig-gallery-emotion", "caption": "Misclassified images, the surest first: the image, its true class and the one it was taken for, and the probabilities of the likeliest classes (red: the answer, green: the truth)."}, "image": {"alt": "Rows of misclassified portraits. Below each a long red bar for the answer; the green one for the truth is short, or too short to see"}}
errors.gallery(emotion) if len(runs) > 1 else None

# %% [markdown]
# ## What may be concluded, and what may not
#
# We judge claims over several networks, which differ in their seed, by rules that were written
# before these were trained. Each rule stands before its result.

# %%
conclude(study, "M1", "M2")

# %% [markdown]
# - Error counts by angle, subject or emotion describe one network on one split. A count within
#   chance says nothing about a person, such as the worst subject. For any other count, the spread
#   over networks says whether another seed repeats it.
# - Which emotions are confused depends on how faces show them. The renderer of the synthetic faces
#   prescribes that, in the same way for everyone; real people differ more. So it is no surprise if
#   other emotions are confused than in the paper.
# - None of this says *why* an image was misclassified. The following chapters ask that.
