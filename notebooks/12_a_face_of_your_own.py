# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A face of your own
#
# A network takes a sad face for a neutral one. Was it the mouth, the brows, or the light?
# Photographs cannot answer that, since no two of them differ in one thing alone: someone who is
# asked for another smile also moves the head, and every exposure has noise of its own.
#
# A synthetic face can be rendered again. Each image of the synthetic set has a description (a
# *shot*) of all that *causes* it: the weights of the facial actions, where the eyes look, the
# lamps, the camera, whose head, skin and hair it is, and every draw of chance down to the noise of
# the sensor. Change one cause, render again, and whatever differs is the effect of that cause. All
# other pixels are equal to the byte. All faces of this chapter are synthetic.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from ipywidgets import FloatSlider, interact
from matplotlib.patches import Patch
from PIL import Image

import synthfaces
from synthfaces import FacePart
from tinyvgg.chapters import own_face, style
from tinyvgg.chapters.bench import fits
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)

# %%
shot = synthfaces.face_spec(subject=1, emotion="neutral")
causes = {
    "smile": {"actions": {"mouthSmile": 1.0}},
    "jaw": {"actions": {"jawOpen": 0.6}},
    "brows": {"actions": {"browInnerUp": 1.0, "browOuterUp": 1.0}},
    "fear above": {"upper": "fearful"},
    "fear below": {"lower": "fearful"},
    "gaze": {"gaze": "left"},
    "lamps": {"light": synthfaces.Light(turn=80)},
    "camera": {"angle": 60},
    "skin": {"skin": 9},
    "hair": {"hair": 9},
}
size = own_face.album(study.profile).size
original = own_face.see(shot, size)
shots = {name: synthfaces.intervene(shot, **cause) for name, cause in causes.items()}
changed = {name: own_face.see(other, size) for name, other in shots.items()}
changes = {name: original.change(seen) for name, seen in changed.items()}

asked = "emotion" if study.faces.kind == "synthetic" and fits(study.run("emotion")) else ""
reach = sorted((1 - change.equal, name) for name, change in changes.items())
(least, local), (most, wide) = reach[0], reach[-1]
said = (
    f"> **What came out.** A neutral face was rendered again, with {len(changes)} causes changed"
    f" one at a time. A cause changes {least:.0%} ({local}) to {most:.0%} ({wide}) of the pixels."
)
if asked:
    run = study.run(asked)
    images = np.stack([seen.image for seen in (original, *changed.values())])
    with torch.no_grad():
        answers = run.model(run.scaling(torch.from_numpy(images))).argmax(1)
    first, *others = (run.classes[answer] for answer in answers)
    flips = [f"{a} ({name})" for name, a in zip(changed, others, strict=True) if a != first]
    after = f"changes to {', '.join(flips)}; other causes leave it" if flips else "never changes"
    said += f" The network for emotion classifies the face as {first}. Its answer {after}."
Markdown(said)

# %% [markdown]
# ## One cause at a time
#
# Each slider changes one cause of the resting face, and resets the others. Actions go from nothing
# to their full movement; left and right are the subject's own. On the site the network of chapter
# 2 answers, too: find the cause that changes its answer. The backtracked cells change with every
# cause. Whether they point to it is the question of {doc}`15_causes`.
#
# The table counts the pixels that changed at all, by the part of the face that they show at rest.
# The part is known from the geometry, not guessed from the image.

# %%
own_face.static_faces(own_face.album(study.profile), "one-cause", asked)

# %% [markdown]
# Effects may reach further than what moves: a lifted cheek takes light from its surroundings. Such
# a shadow changes a pixel by a few levels. An eye does not see that, but a network might.
#
# ## The same in code
#
# `intervene` takes a shot and one cause, and returns the shot with that cause changed. Called
# again on its result it changes another one. This shot is one of the set, with the small movements
# that a neutral face makes:
#
# ```python
# shot = synthfaces.face_spec(subject=1, emotion="neutral")
# smiling = synthfaces.intervene(shot, actions={"mouthSmile": 1.0})
# elsewhere = synthfaces.intervene(smiling, gaze="left")
# ```


# %% mystnb={"figure": {"name": "fig-interventions", "caption": "A synthetic face, and the same with one cause changed: an action or two, the upper or the lower face of another expression, gaze, lamps, camera, and the skin or the hair of another subject. Below each image its difference from the original: white where equal to the byte, pale blue for one level of 255, dark where large. At the left the original and the parts of its face."}, "image": {"alt": "Two rows of portraits of the same person, each with a blue and white picture below it. With an action mostly the part of the face that moves is blue; with lamps, camera and skin the whole face is."}}
@style.styled()
def interventions_figure():
    """Draw the original and its parts, and the changed images, each over its difference."""
    figure, axes = style.grid(2 * -(-len(changed) // 5), 6, aspect=1.1)
    for axis in axes.flat:
        style.clear(axis)
    style.show_image(axes[0, 0], original.image, "original")
    style.show_image(
        axes[1, 0], own_face.parts_picture(original.image, original.parts), "its parts"
    )
    pairs = zip(axes[0::2, 1:].flat, axes[1::2, 1:].flat, changed.items(), strict=False)
    for above, below, (cause, seen) in pairs:
        style.show_image(above, seen.image, cause)
        style.show_image(below, own_face.RAMP[changes[cause].levels])
    parts = [part for part in FacePart if part != FacePart.BACKGROUND]
    handles = [Patch(color=own_face.PART_COLOURS[part], label=part.name.lower()) for part in parts]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=7)
    return figure


interventions_figure()

# %% [markdown]
# The percentage of pixels that are equal to the byte, by cause (columns), in the whole image and
# in each part of the original:

# %%
rows = {"all": list(FacePart), **{part.name.lower(): [part] for part in FacePart}}


def equal(change, parts) -> str:
    """Print 100 only where all pixels are equal, and 0 only where none is."""
    percent = 100 * (1 - change.changed[parts].sum() / max(1, change.pixels[parts].sum()))
    return ">99" if 99 < percent < 100 else "<1" if 0 < percent < 1 else f"{percent:.0f}"


columns = {
    name: [equal(change, parts) for parts in rows.values()] for name, change in changes.items()
}
pd.DataFrame(columns, index=list(rows))

# %%
face = [part for part in FacePart if part > FacePart.EARS]
shares = {name: c.changed[face].sum() / c.pixels[face].sum() for name, c in changes.items()}
wide = ", ".join(name for name, share in shares.items() if share > 0.9)
Markdown(
    f"Of the face itself nearly all changes with {wide}; an action changes what it moves or shades."
)

# %% [markdown]
# ## All causes together
#
# The next cell shows a face under sliders that add up: all actions, lamps, angles and subjects. It
# renders what you ask for, so it needs a running kernel: open this notebook in JupyterLab.


# %% tags=["remove-output", "open", "nbval-ignore-output", "skip-execution"]
def face(subject, **values):
    spec = synthfaces.face_spec(subject, "neutral")
    for name, value in values.items():
        spec = synthfaces.CAUSES[name].change(spec, value)
    return Image.fromarray(synthfaces.render_face(spec, 192))


sliders = {
    name: FloatSlider(**cause.slider(shot), continuous_update=False)
    for name, cause in synthfaces.CAUSES.items()
}
_ = interact(face, subject=list(synthfaces.SUBJECTS), **sliders)

# %% [markdown]
# ## What may be concluded, and what may not
#
# - If a network answers differently to two such images, the cause that was changed is the reason:
#   nothing else differs. Features found in one image allow no such strong statement.
# - This holds for synthetic faces. What an action does to a real face also depends on muscles, fat
#   and habit, which this anatomy knows only roughly, and real causes do not come alone.
# - Images are equal to the byte on one machine. Another one may round differently. Then both
#   images differ from ours alike, by single levels.
