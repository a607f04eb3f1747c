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
# {cite:t}`fang2017` trains its networks on the Radboud Faces Database {cite:p}`langner2010`:
# people of several kinds, each with eight expressions, three directions of gaze and five cameras
# that release at the same moment. Those photographs are lent for research and may not be passed
# on, so this book brings faces of its own. What is their design? How is it divided into images
# that train a network and images that test it? And how far apart are those two parts?
#
# You will see who and what is in the set, as far as the source of the images knows, and the two
# ways in which the paper counts its training images, of which only one can be right.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0

# %%
from IPython.display import Markdown

from tinyvgg import paper
from tinyvgg.chapters import data
from tinyvgg.chapters import data as crops
from tinyvgg.chapters import data as figures
from tinyvgg.chapters.verdicts import conclude, record_numbers, whole
from tinyvgg.training.experiments import open_study

# %% [markdown]
# On first use the images are rendered, or read from their folder, and kept.

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed)
count = len(study.faces)

# %% [markdown]
# ## What is in the set
#
# ```{admonition} What the synthetic faces are, and what they are not
# :class: note
# None of the synthetic faces is a real person's. A parametric model of human anatomy (CC0, see
# {doc}`../data_licences`) is shaped into as many different heads as the data base has subjects,
# {paper}`d1.both.subjects`, posed by the muscles that an expression needs, and photographed by
# virtual cameras. The set repeats the *design* of the data base down to the file names, and takes
# over the numbers of its subjects. It repeats none of its content: its subject
# {paper}`f9.subject.subject` has nothing but the number in common with the real one. Skin, hair and
# light are simpler than in a photograph, and an expression is put on the same way by everyone up to
# a personal strength and asymmetry. A number measured on them says something about these faces
# first, and about photographs only as far as the two are alike. {doc}`13_data_sheet` has the whole
# story: how they were made and checked, and what they cannot stand for.
# ```
#
# The table has the paper's set, the part of it that the paper uses, and what this run works on; of
# the synthetic set also the whole, with all its cameras. Those at {paper}`d2.both.left_out_first`
# and {paper}`d2.both.left_out_second` see a full profile; the paper leaves them out, and so the
# synthetic set is not rendered from there, save for one figure.

# %%
data.design_table(study.faces)

# %%
Markdown(data.at_hand(study.faces))

# %% [markdown]
# Who they are: the data base has adults of two origins and children. The subjects of this run
# (where a source knows no people, its images by class):

# %%
data.people_table(study.faces)

# %% mystnb={"figure": {"name": "fig-subjects", "caption": "Every subject of this run with a neutral face, from the front and at the size that the network sees, by group and sex. The numbers are those that the source gives them; synthetic subjects have those of the data base's, and share nothing else with them."}, "image": {"alt": "Portraits of all subjects in rows of twelve, each with its number, one block of rows for each group and sex"}}
figures.subjects_figure(study.faces)

# %% [markdown]
# ## What is used of the photographs
#
# Networks see squares. The paper cuts them out of the data base's frames, and does not say where.
# Here photographs of fixed cameras get one square a camera, worked out from where a detector finds
# eyes; other photographs are cropped around each face, or taken from their middle.

# %%
Markdown(data.cropping_sentence(study.faces))

# %% mystnb={"figure": {"name": "fig-crops", "caption": "Which part of the photographs is used. Top: photographs with the square that is cut out of them; of a set with fixed cameras the mean of many people, by camera. Bottom: what becomes of the square."}, "image": {"alt": "Photographs, or mean faces, with a square around the face, and below each the square by itself"}}
crops.crops_figure(study.faces)

# %% [markdown]
# What cannot be read, or shows no face where one is looked for, is left out and not guessed at.

# %%
Markdown(data.left_out_sentence(study.faces))

# %%
whole(data.left_out_table(study.faces), "There is nothing to list.")

# %%
Markdown(data.missing_sentence(study.faces))

# %% [markdown]
# ## Five angles
#
# The data base's cameras stand around the subject in equal steps; the one at
# {paper}`f1.both.angle_c` sees the front. The paper's first figure shows a woman from all of them.

# %% mystnb={"figure": {"name": "fig-five-angles", "caption": "One subject, as in the paper's Figure 1 a Caucasian woman, from five cameras. Top: at the paper's size of a cropped face. Bottom: as the networks of this run see it; the two profiles are left out."}, "image": {"alt": "Five views of one head turning from one full profile over the front to the other, and below them the three that are used, in the resolution of this run"}}
figures.angles_figure(study.faces)

# %% [markdown]
# ## Eight emotions, or other classes

# %% mystnb={"figure": {"name": "fig-eight-emotions", "caption": "The eight emotions of one subject, from the front and looking ahead (the paper's Figure 2); of a source that knows no emotions, images of each of its classes."}, "image": {"alt": "Eight portraits of the same person, one with each emotion, or rows of images, one for each class"}}
figures.emotions_figure(study.faces)

# %% [markdown]
# ## Two parts
#
# For identity the paper draws {paper}`d3.subject.train_per_cell` of the
# {paper}`d3.subject.images_per_cell` images of each subject at each angle for training; the
# others test the network. For emotion its text and its Table 2 contradict each other. With
# {paper}`d4.emotion.images_per_cell` images of each emotion at each angle, the odd one has to go
# somewhere: the text has {paper}`d4.emotion.train_per_cell_text` of them train the network, the
# table {paper}`d4.emotion.train_per_cell`. Both splits, drawn here:

# %%
splits = data.readings(study)
data.split_table(study.faces.index, splits)

# %% [markdown]
# Where a cell has an even number of images the two readings are the same; that is so in runs with
# few subjects. No image is in both parts and none in neither, which the last two columns count.
#
# Which of the two did the paper use? Its text gives the number of errors and its table the
# accuracy, and the one follows from the other through the number of test images:

# %%
data.reading_table()

# %% [markdown]
# The table's reading fits to the last digit, the text's does not. The published code, too, counts
# off the images of the *test* part first. This book follows the table; {doc}`../disagreements`
# has the details.

# %% mystnb={"figure": {"name": "fig-split", "caption": "The images of one subject, in the resolution of this run, by emotion (rows), camera angle and gaze (columns); of a source that knows no subjects, images of each class. The frames tell which train the network for the first task and which test it."}, "image": {"alt": "A grid of small images, about half of them in blue frames and half in orange ones, at random"}}
figures.examples_figure(study.faces, study.split(study.tasks[0]))

# %% [markdown]
# ## How new is a test image?
#
# The parts share no image. But images are drawn one by one, and many differ from another only in
# where the eyes look. The table gives the share of the test part for which the training part
# holds an image with exactly the same pixels, a *twin* (same subject, emotion and angle, another
# gaze), and another camera's image of the same shot.

# %%
data.nearness_table(study.faces, splits)

# %% [markdown]
# In the paper's design each image has as many possible twins as there are other gazes, and each of
# those trains the network about every second time.

# %%
ours = data.numbers(study, splits)
record_numbers(ours)
Markdown(data.twins_sentence(study.faces.index, ours))

# %% [markdown]
# To recognise an emotion from an image whose twin was learned takes less than to recognise it in a
# stranger's face. The accuracies of Table 2, and those on the synthetic faces, are of this easier
# kind; none of the networks behind them is tested on a subject that it has not seen.
#
# ## The paper's numbers beside ours

# %%
whole(paper.compare([("", key, ours[key]) for key in paper.load().numbers if key in ours]))

# %% [markdown]
# ## What may be concluded, and what may not
#
# A claim about the data holds where every count is the paper's; one that is met in some counts
# only holds in part.

# %%
conclude(data.verdicts(study))

# %% [markdown]
# - The splits can be repeated as the paper has them, to the image, once one decides for its table
#   and against its text.
# - In the paper's design the parts are disjoint, but far from independent. What a network gets
#   right there says little about faces that it has never seen.
# - Nothing in this chapter tells whether these images are as hard as the paper's. The next one
#   does, in part: it puts the error rates side by side.
