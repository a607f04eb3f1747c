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
# # The faces
#
# {cite:t}`fang2017` trains its networks on the Radboud Faces Database {cite:p}`langner2010`: people
# of several kinds, each with eight expressions, three directions of gaze and five cameras that
# release at the same moment. Those photographs are lent for research and may not be passed on, so
# this book brings faces of its own. What is their design? How are they divided into images that
# train a network and images that test it? And how far apart are those two parts?

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import pandas as pd
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import data
from tinyvgg.chapters.verdicts import conclude, record_numbers
from tinyvgg.training.experiments import open_study

# %% [markdown]
# On first use the images are rendered, or read from their folder. They are kept for later runs.

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
count = len(study.faces)

# %% [markdown]
# The answer in short: the two parts share no image, but they are not independent. A *twin* shows
# the same subject with the same emotion from the same angle, and only looks elsewhere.

# %%
splits = data.readings(study)
ours = data.numbers(study, splits)
record_numbers(ours)
shares = [
    f"{ours[key]:.1%} of the test images for {paper.TASK_NAMES[task]}"
    for task in study.tasks
    if ours.get(key := f"{data.CLAIMS[task]}.{task}.twins") is not None
]
called = study.faces.called.replace("`", "'")
Markdown(
    f"This run works on {count:,} images: `{called}`."
    + (f" In this run {' and '.join(shares)} have a twin that was learned." if shares else "")
)

# %% [markdown]
# ## What is in the set
#
# ```{admonition} What the synthetic faces are, and what they are not
# :class: note
# None of the synthetic faces is a real person's. A parametric model of human anatomy (CC0, see
# {doc}`../data_licences`) is shaped into as many different heads as the database has subjects,
# {paper}`d1.both.subjects`, posed by the muscles that an expression needs, and photographed by
# virtual cameras. The set repeats the *design* of the database down to the file names, and takes
# over the numbers of its subjects. It repeats none of its content: its subject
# {paper}`f9.subject.subject` has nothing but the number in common with the real one. Skin, hair and
# light are simpler than in a photograph, and everyone puts on an expression in the same way, up to
# a personal strength and asymmetry. A number measured on these faces says something about them
# first, and about photographs only as far as the two are alike. {doc}`20_data_sheet` says how they
# were made and checked, and what they cannot stand for. How hard they are was tuned by the error
# rates of networks alone, with other seeds than those that this book reports.
# ```
#
# The table shows the paper's set, the part of it that the paper uses, the whole set of this source
# with all its cameras, and what this run works on. The cameras at {paper}`d2.both.left_out_first`
# and {paper}`d2.both.left_out_second` see a full profile. The paper leaves them out, and so the
# synthetic set is not rendered from there, save for one figure. {doc}`21_photographs` shows how
# photographs are cropped, and which of them are left out.

# %%
everything = data.whole_design(study.faces)
both = {
    claim: {key.split(".")[2]: n.value for key, n in paper.load().numbers.items() if claim in key}
    for claim in ("d1.both", "d2.both")
}
data.count_table(
    {
        "paper, all": both["d1.both"],
        "paper, used": both["d1.both"] | {"images_per_subject": None} | both["d2.both"],
        **({} if everything is None else {f"{study.faces.kind}, all": data.counts(everything)}),
        "this run": data.counts(study.faces.index.table) | {"size": study.profile.size},
    }
)

# %% [markdown]
# Who is in it? The database has adults of two origins and children. This table counts the subjects
# of this run by group and sex, or the images by class where the source lists no subjects.

# %%
table = study.faces.index.table
if study.faces.index.has("subject", "group", "sex"):
    who = table.drop_duplicates("subject")
    people = pd.crosstab(who["group"], who["sex"], margins=True, margins_name="all")
else:
    people = table[study.tasks[-1]].value_counts().sort_index().rename("images").to_frame()
people

# %% mystnb={"figure": {"name": "fig-subjects", "caption": "Every subject of this run with a neutral face, from the front and at the size that the network sees, by group and sex. The numbers are those that the source gives them; synthetic subjects have the numbers of the database's subjects, and share nothing else with them."}, "image": {"alt": "Portraits of all subjects in rows of twelve, each with its number, one block of rows for each group and sex"}}
data.subjects_figure(study.faces)

# %% [markdown]
# ## Five angles and eight emotions
#
# The database's cameras stand around the subject in equal steps; the one at
# {paper}`f1.both.angle_c` sees the front. The paper's first figure shows a woman from all of them,
# its second one person with each emotion.

# %% mystnb={"figure": {"name": "fig-five-angles", "caption": "One subject, as in the paper's Figure 1 a Caucasian woman, from five cameras. Top: at the paper's size of a cropped face. Bottom: as the networks of this run see it; the two profiles are left out."}, "image": {"alt": "Five views of one head turning from one full profile over the front to the other, and below them the three that are used, in the resolution of this run"}}
data.angles_figure(study.faces)

# %% mystnb={"figure": {"name": "fig-eight-emotions", "caption": "The eight emotions of one subject, from the front and looking ahead (the paper's Figure 2)."}, "image": {"alt": "Eight portraits of the same person, one with each emotion"}}
data.emotions_figure(study.faces)

# %% [markdown]
# ## What the crop changes
#
# The paper keeps the face alone, without hair and torso. The source `synthetic:crop=head` shows the
# whole head before white, so that identity can be read from its outline. What that changes is
# shown where it matters, in {doc}`06_feature_tracking`.
#
# ## Two parts
#
# For identity the paper draws {paper}`d3.subject.train_per_cell` of the
# {paper}`d3.subject.images_per_cell` images of each subject at each angle for training; the
# others test the network. For emotion its text and its Table 2 contradict each other. With
# {paper}`d4.emotion.images_per_cell` images of each emotion at each angle, the odd one has to go
# somewhere: the text has {paper}`d4.emotion.train_per_cell_text` of them train the network, the
# table {paper}`d4.emotion.train_per_cell`. Both splits, drawn here:

# %%
rows = {}
for (task, reading), parts in splits.items():
    by_cell = data.cell_counts(study.faces.index, task, parts)
    rows[paper.TASK_NAMES[task], reading] = {
        "cells": len(by_cell),
        **{
            f"{part} a cell": " to ".join(map(str, sorted({found.min(), found.max()})))
            for part, found in by_cell.items()
        },
        "train": len(parts.train),
        "test": len(parts.test),
        "in both": len(set(parts.train) & set(parts.test)),
        "in neither": count - len(set(parts.train) | set(parts.test)),
    }
pd.DataFrame(rows).T.rename_axis(["task", "split"])

# %% [markdown]
# Where a cell has an even number of images the two readings are the same; that is so in runs with
# few subjects. The last two columns count images that are in both parts, or in neither: there are
# none.
#
# Which of the two did the paper use? Its text gives the number of errors and its table the
# accuracy, and the one follows from the other through the number of test images:

# %%
errors, printed = paper.number("t2.emotion.errors"), paper.number("t2.emotion.accuracy")
rows = {}
for reading, key in ((data.TABLE, "d4.emotion.test"), (data.TEXT, "d4.emotion.test_text")):
    follows = 1 - errors / paper.number(key)
    rows[reading] = {
        "test images": int(paper.number(key)),
        "errors": int(errors),
        "accuracy that follows": f"{follows:.2%}",
        "printed": f"{printed:.2%}",
        "agree": "yes" if f"{follows:.2%}" == f"{printed:.2%}" else "no",
    }
pd.DataFrame(rows).T.rename_axis("split")

# %% [markdown]
# The table's reading fits to the last digit, the text's does not. The published code, too, counts
# off the images of the *test* part first. This book follows the table; {doc}`../disagreements`
# has the details.

# %% mystnb={"figure": {"name": "fig-split", "caption": "The images of one subject, in the resolution of this run, by emotion (rows), camera angle and gaze (columns); where the source lists no subjects, images of each class. Frames show which of them train the network for the first task and which test it."}, "image": {"alt": "A grid of small images, about half of them in blue frames and half in orange ones, at random"}}
data.examples_figure(study.faces, study.split(study.tasks[0]))

# %% [markdown]
# ## How new is a test image?
#
# Most test images have a near relative among the training images, although the parts share no
# image: images are drawn one by one, and many differ from another only in where the eyes look. The
# table gives the share of the test part for which the training part holds an image with exactly
# the same pixels, a twin, and another camera's image of the same shot.

# %%
nearness = {
    (paper.TASK_NAMES[task], reading): data.nearness(study.faces, parts)
    for (task, reading), parts in splits.items()
}
pd.DataFrame(nearness).T.rename_axis(["task", "split"]).round(4)

# %% [markdown]
# In the paper's design each image has as many possible twins as there are other gazes, and about
# half of these train the network.
#
# It is easier to recognise an emotion in an image whose twin was learned than in a stranger's face.
# The accuracies of Table 2, and those on the synthetic faces, are of this easier kind; none of the
# networks behind them is tested on a subject that it has not seen.
#
# ## The paper's numbers beside ours

# %%
known = {key: ours[key] for key in paper.load().numbers if ours.get(key) is not None}
other = [
    f"{about.full_label} {paper.show(known[key], about.unit)}, the paper's {about.text}"
    for key, about in paper.load().numbers.items()
    if key in known and known[key] != about.value
]
Markdown("; ".join([f"{len(known) - len(other)} of {len(known)} counts are the paper's", *other]))

# %% [markdown]
# ## What may be concluded, and what may not
#
# The paper's claims about its data assert nothing of networks: they are shown.

# %%
conclude(study, **data.shown(study))

# %% [markdown]
# - The splits can be repeated as the paper has them once one decides for its table and against its
#   text.
# - In the paper's design the parts are disjoint, but far from independent. What a network gets
#   right there says little about faces that it has never seen.
# - Nothing in this chapter says whether these images are as hard as the paper's. The next one
#   does, in part: it puts the error rates side by side.
