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
# A woman smiles, opens her mouth, or stands in other light. Which of these changes a network's
# answer? Photographs cannot tell, since no two of them differ in one thing alone: someone who is
# asked for another smile also moves the head, and every exposure has noise of its own.
#
# A synthetic face can be rendered again. Each image of the synthetic set has a description (a
# *shot*) of all that *causes* it: the weights of the facial actions, where the eyes look, the
# lamps, the camera, whose head, skin and hair it is, and every draw of chance down to the noise of
# the sensor. Change one cause and render again: whatever differs is the effect of that cause. All
# other pixels are equal to the byte. All faces of this chapter are synthetic.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
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
    "fearful upper half": {"upper": "fearful"},
    "fearful lower half": {"lower": "fearful"},
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
shares = {name: 1 - change.equal for name, change in changes.items()}
order, told, given = sorted(shares, key=shares.get), "> **What came out.**", {}
if asked:
    run = study.run(asked)
    images = np.stack([seen.image for seen in (original, *changed.values())])
    with torch.no_grad():
        answers = run.model(run.scaling(torch.from_numpy(images))).argmax(1)
    first, *others = (run.classes[answer] for answer in answers)
    given = dict(zip(changed, others, strict=True))
    flips, stays = ([c for c in order if (given[c] == first) is kept] for kept in (False, True))
    flipped = ", ".join(f"{cause} ({given[cause]})" for cause in flips) or "no cause"
    told += f" The network for emotion classifies a woman's neutral face as {first}. One cause was"
    told += f" changed at a time. The network's answer changes with {flipped}, and stays with"
    told += f" {', '.join(stays) or 'none'}."
told += f" A changed cause reaches {shares[order[0]]:.0%} ({order[0]}) to {shares[order[-1]]:.0%}"
told += f" ({order[-1]}) of the pixels."
if given and flips and stays and shares[flips[0]] < shares[stays[-1]]:
    told += f" Their number does not decide: {stays[-1]} changes more of them than {flips[0]}."
Markdown(told)

# %% [markdown]
# ## One cause at a time
#
# Each slider changes one cause of the resting face, and resets the others. Each action goes from
# none to full; left and right are the subject's own. On the site, press *Ask the network* to see
# what the network for emotion answers, and find the cause that changes its answer. The backtracked
# cells change with every cause; {doc}`15_causes` asks whether they point to it.
#
# The table counts the pixels that change at all, by the part of the face that they show at rest.
# The part is known from the geometry, not guessed from the image.

# %%
own_face.static_faces(own_face.album(study.profile), "one-cause", asked)

# %% [markdown]
# Effects may reach further than what moves: a lifted cheek takes light from its surroundings. Such
# a shadow changes a pixel by a few levels. An eye does not see that, but a network might.
#
# ## The same in code
#
# `intervene` takes a shot and one cause, and returns the shot with that cause changed. Call it on
# its own result to change a second cause. This shot is one of the set, with the small movements that
# a neutral face makes:
#
# ```python
# shot = synthfaces.face_spec(subject=1, emotion="neutral")
# smiling = synthfaces.intervene(shot, actions={"mouthSmile": 1.0})
# elsewhere = synthfaces.intervene(smiling, gaze="left")
# ```


# %% mystnb={"figure": {"name": "fig-interventions", "caption": "A synthetic face, and the same with one cause changed: an action or two, the upper or the lower face of another expression, gaze, lamps, camera, and the skin or the hair of another subject; below its name the answer, where the network was asked. Under each image its difference from the original: white where equal to the byte, pale blue for one level of 255, dark where large. At the left the original and the parts of its face."}, "image": {"alt": "Two rows of portraits of the same person, each with a blue and white picture below it. With an action mostly the part of the face that moves is blue; with lamps, camera and skin the whole face is."}}
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
        style.show_image(above, seen.image, "\n".join([cause, given[cause]] if given else [cause]))
        style.show_image(below, own_face.RAMP[changes[cause].levels])
    parts = [part for part in FacePart if part != FacePart.BACKGROUND]
    handles = [Patch(color=own_face.PART_COLOURS[part], label=part.name.lower()) for part in parts]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=7)
    return figure


interventions_figure()

# %%
face = [part for part in FacePart if part > FacePart.EARS]
reach = {name: c.changed[face].sum() / c.pixels[face].sum() for name, c in changes.items()}
wide = ", ".join(name for name, share in reach.items() if share > 0.9)
few = "an action changes only what it moves or shades"
Markdown(f"Nearly every pixel of the face (without ears) changes with {wide}; {few}.")

# %% [markdown]
# ## All causes together
#
# The next cell shows a face under sliders that add up: all actions, lamps, angles and subjects. It
# renders what you ask for, so it needs a running kernel: open this notebook in JupyterLab.


# %% tags=["remove-output", "nbval-ignore-output", "skip-execution"]
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
# - Images are equal to the byte on one machine. Another one may round differently;
#   {doc}`20_data_sheet` compares them.
