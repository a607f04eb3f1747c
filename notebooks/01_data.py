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
# {cite:t}`fang2017` trains its networks on the Radboud Faces Database {cite:p}`langner2010`: adults
# and children, each photographed with eight expressions and three directions of gaze by five
# cameras that release at the same moment. Those photographs are lent for research and may not be
# passed on, so this book brings faces of its own. How were they designed? Which images train a
# network, and which test it? How different are the test images from the training images?

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
splits = data.readings(study)
ours = data.numbers(study, splits)
record_numbers(ours)

# %%
near = {
    (paper.TASK_NAMES[task], reading): data.nearness(study.faces, parts)
    for (task, reading), parts in splits.items()
}
near = pd.DataFrame(near).T.rename_axis(["task", "split"])
twins = [
    f"{ours[key]:.1%} of the test images for {paper.TASK_NAMES[task]}"
    for task in study.tasks
    if ours.get(key := f"{data.CLAIMS[task]}.{task}.twins") is not None
]
copies = near["equal pixels"].max()
known = (
    f" But {' and '.join(twins)} have a *twin* among the training images: the same subject with the"
    " same emotion from the same angle, who only looks elsewhere."
)
called = study.faces.called.replace("`", "'")
Markdown(
    f"> **What came out.** This run works on {len(study.faces):,} images, `{called}`."
    f" {f'{copies:.1%} of' if copies else 'None of'} the test images are copies of training images."
    f"{known if twins else ''}"
)

# %% [markdown]
# ## What is in the set
#
# ```{admonition} What the synthetic faces are, and what they are not
# :class: note
# None of the synthetic faces is a real person's. A parametric model of human anatomy (CC0, see
# {doc}`../data_licences`) is shaped into as many different heads as the database has subjects,
# {paper}`d1.both.subjects`, posed by the muscles that an expression needs, and photographed by
# virtual cameras. The set repeats the *design* of the database down to the file names and the
# numbers of the subjects. It repeats none of its content: subject {paper}`f9.subject.subject` has
# nothing but the number in common with the real one. Skin, hair and light are simpler than in a
# photograph. Everyone puts on an expression in the same way, up to a personal strength and
# asymmetry. A number measured on these faces is about them first, and about photographs only as far
# as the two are alike. {doc}`20_data_sheet` says how they were made and checked, and what they
# cannot stand for. We chose how hard they are to classify by the error rates of networks alone.
# Those networks had other seeds than the ones that this book reports.
# ```
#
# The table counts the paper's set, the part of it that the paper uses, and what this run works on.
# The cameras at {paper}`d2.both.left_out_first` and {paper}`d2.both.left_out_second` see a full
# profile, and the paper leaves them out. {doc}`21_photographs` shows how photographs are cropped,
# and which of them are left out.

# %%
both = {
    claim: {key.split(".")[2]: n.value for key, n in paper.load().numbers.items() if claim in key}
    for claim in ("d1.both", "d2.both")
}
columns = {
    "paper, all": both["d1.both"],
    "paper, used": both["d1.both"] | {"images_per_subject": None} | both["d2.both"],
    "this run": data.counts(study.faces.index.table) | {"size": study.profile.size},
}
names = {plural: plural for plural in data.PLURALS.values()}
names |= {"images_per_subject": "images of a subject", "images": "images"}
names |= {"size": "pixels, side of an image"}
shown = {
    title: {row: paper.show(found.get(name), "count") for name, row in names.items()}
    for title, found in columns.items()
}
table = pd.DataFrame(shown).rename_axis("number of")
table[(table != paper.NOTHING).any(axis=1)]

# %% [markdown]
# Who is in it? The database has adults of two origins and children. All synthetic subjects have their
# portraits in {doc}`20_data_sheet`.

# %%
table = study.faces.index.table
if study.faces.index.has("subject", "group", "sex"):
    who = table.drop_duplicates("subject")
    people = pd.crosstab(who["group"], who["sex"], margins=True, margins_name="all")
else:
    people = table[study.tasks[-1]].value_counts().sort_index().rename("images").to_frame()
people

# %% [markdown]
# ## Five angles and eight emotions
#
# The cameras stand around the subject in equal steps. That at {paper}`f1.both.angle_c` is in front.

# %% mystnb={"figure": {"name": "fig-five-angles", "caption": "One subject from five cameras, after the paper's Figure 1, at the paper's size of a cropped face."}, "image": {"alt": "Five views of one head, which turns from one full profile over the front to the other"}}
data.angles_figure(study.faces)

# %% mystnb={"figure": {"name": "fig-eight-emotions", "caption": "The eight emotions of one subject, from the front and looking ahead (the paper's Figure 2)."}, "image": {"alt": "Eight portraits of the same person. Mouth and brows change the most: a smile, open jaws, a frown"}}
data.emotions_figure(study.faces)

# %% [markdown]
# ## What the crop changes
#
# The paper keeps the face alone, without hair and torso. The source `synthetic:crop=head` shows the
# whole head on white; its outline may give a person away. {doc}`06_feature_tracking` compares both.
#
# ## Two parts
#
# Training images are drawn at random, group by group. For identity a group is one subject at one
# angle. The paper draws {paper}`d3.subject.train_per_cell` of its
# {paper}`d3.subject.images_per_cell` images for training; the others test the network. For emotion
# a group is one emotion at one angle, with {paper}`d4.emotion.images_per_cell` images. Here text
# and Table 2 of the paper differ: the text trains with {paper}`d4.emotion.train_per_cell_text` of
# them, the table with {paper}`d4.emotion.train_per_cell`. Both splits, drawn here:

# %%
rows = {}
for (task, reading), parts in splits.items():
    by_cell = data.cell_counts(study.faces.index, task, parts)
    rows[paper.TASK_NAMES[task], reading] = {
        "groups": len(by_cell),
        **{
            f"{part} a group": " to ".join(map(str, sorted({found.min(), found.max()})))
            for part, found in by_cell.items()
        },
        "train": len(parts.train),
        "test": len(parts.test),
    }
pd.DataFrame(rows).T.rename_axis(["task", "split"])

# %% [markdown]
# Which of the two did the paper use? It counts {paper}`t2.emotion.errors` errors and prints an
# accuracy of {paper}`t2.emotion.accuracy`. The accuracy follows from the number of test images:

# %%
rows = {}
for reading, key in ((data.TABLE, "d4.emotion.test"), (data.TEXT, "d4.emotion.test_text")):
    follows = 1 - paper.number("t2.emotion.errors") / paper.number(key)
    rows[reading] = {"test images": paper.quantity(key).text, "accuracy": f"{follows:.2%}"}
pd.DataFrame(rows).T.rename_axis("split")

# %% [markdown]
# The table's split fits to the last digit, and the text's does not. In the published code, too, the
# images counted first are the *test* images, so that the text may have meant those. This book
# follows the table; {doc}`../disagreements` has the details.

# %% mystnb={"figure": {"name": "fig-split", "caption": "Images of this run as the network sees them: of one subject, or of each class where subjects are not known. In the split for the first task, those in blue frames train the network and those in orange frames test it."}, "image": {"alt": "A grid of small images that look much alike, about half in blue and half in orange frames, in no order"}}
data.examples_figure(study.faces, study.split(study.tasks[0]))

# %% [markdown]
# ## How new is a test image?
#
# Images are drawn one by one, and many differ from another only in where the eyes look. So a test
# image may have a near relative among the training images. The table has the share of the test
# images that have one: a twin, or the image that another camera took of the same shot.

# %%
relatives = near.loc[:, near.any()]
relatives.map("{:.1%}".format) if relatives.size else None

# %% [markdown]
# It is easier to recognise an emotion in an image whose twin was learned than in a stranger's face.
# The accuracies of Table 2, and those on the synthetic faces, are of this easier kind. No network
# behind them is tested on a subject that it has not seen.
#
# ## The paper's numbers beside ours

# %%
known = {key: ours[key] for key in paper.load().numbers if ours.get(key) is not None}
other = [
    f"{about.full_label} {paper.show(known[key], about.unit)}, the paper's {about.text}"
    for key, about in paper.load().numbers.items()
    if key in known and known[key] != about.value
]
same = f"{len(known) - len(other)} of {len(known)} counts are the paper's"
Markdown(f"{'; '.join([same, *other])}.") if known else None

# %% [markdown]
# ## What may be concluded, and what may not
#
# The paper's claims about its data say nothing about networks. They hold by construction.

# %%
conclude(study, **data.shown(study))

# %% [markdown]
# - The paper's splits can be repeated, once one follows its table and not its text.
# - The paper's training and test images are different images, and still are far from independent.
#   What a network gets right there says little about faces that it has never seen.
# - Nothing in this chapter says whether these images are as hard as the paper's. The next one puts
#   the error rates side by side.
