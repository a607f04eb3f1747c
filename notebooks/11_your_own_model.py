# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Explain your own model
#
# A colleague hands you a network and a folder of images that it gets wrong. Are labels wrong, is one
# kind of image hard, or is it the model? You can ask any model that maps a batch of images to
# logits. Here it is one of this book's own networks, treated as if it were a stranger's. For yours,
# replace the cell that makes `net` and `loader`, and what later cells take from `run`. The same
# works without Python ({doc}`../checkpoint`).

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %% tags=["open"]
import warnings

import pandas as pd
import torch
from IPython.display import Markdown
from skimage import data
from torch import nn
from torchvision import models
from torchvision.transforms import v2

import tinyvgg
from tinyvgg import files
from tinyvgg.chapters.backtracking import jaccard
from tinyvgg.chapters.deconvolution import image_table
from tinyvgg.chapters.sanity import METHODS, RULES, SAME, alike, explanations
from tinyvgg.training.experiments import open_study

# %% tags=["nbval-ignore-output", "open"]
study = open_study(profile, faces, seed, networks=networks)
run = study.run(study.tasks[-1])
rows, classes, net = run.split.test, run.classes, run.model
batches = [rows[start : start + 64] for start in range(0, len(rows), 64)]
labels = torch.from_numpy(run.labels)
loader = list(zip(map(run.tensor, batches), labels.split(64), strict=True))

# %% tags=["open", "nbval-ignore-output"]
with warnings.catch_warnings(action="ignore"):  # the table below says it, too
    errors = tinyvgg.explain_errors(net, loader, classes, progress=False)

# %% tags=["open"]
columns = run.faces.index.table.iloc[rows]
known = [name for name in ("subject", "angle", "gaze", "sex", "group") if name in columns]
slices = errors.slices(columns[known])
told = errors.conclusions(slices)
if study.faces.kind == "synthetic" and errors.table["suspect"].any():
    made = "These faces are rendered from their labels, so that no label can be wrong"
    told.append(f"{made}: here the sure errors are the model's own.")
Markdown("\n> - ".join(["> **What came out.**\n>", *told]))

# %% [markdown]
# ## Errors first
#
# `explain_errors` runs over a loader, a `DataLoader` or a list of pairs of images and labels. For
# each error it looks for the fewest cells whose suppression makes the answer right. A *cell* is an
# element of the last feature maps; the paper and the API call it a pixel. In the table below,
# *margin* is the true logit minus the largest other one. *Suspect* are errors that are at least as
# sure as right answers of the same class are on average. *Contrastive* counts the cells with a
# positive share in the answer's logit minus the true one.

# %% tags=["open"]
errors.table[["true", "predicted", "margin", "suspect", "cells", "contrastive"]].head().round(2)

# %% tags=["open"]
middle = errors.table.query("repaired")[["contrastive", "cells"]].median()
favour = "In the median error {contrastive:,.0f} cells favour the wrong answer over the true one"
few = favour + "; the median repair takes {cells:g}."
Markdown(few.format(**middle)) if errors.table["repaired"].any() else None

# %% tags=["open"] mystnb={"figure": {"name": "fig-own-errors", "caption": "Errors, and at the right of each what the cells of its repair show in the image."}, "image": {"alt": "Faces, each beside a few dark traces on a part of it."}}
errors.show()

# %% [markdown]
# Errors that are decided by similar cells, in the same maps and at the same places, form a family.
# For the largest families the table names the *prototype*, the error that is nearest to the others:
# its classes, the number of cells of its repair, and its place among the errors.

# %% tags=["open"]
errors.families().drop(columns="errors").head(6)

# %% [markdown]
# ## Methods side by side
#
# Which methods tell one class from another? Each explains the answer to a few errors, and then the
# true class of the same images. A method whose two explanations agree is blind to the class: it
# cannot say why the answer was this one. The table gives the overlap (Jaccard) of sets of cells, the
# rank correlation of pictures, and the correlation of shares. *Contributions* and *contrastive* keep all cells with a
# positive share in the class's logit, or in its margin over the next class; *cells* counts what a
# rule keeps for the answer. {doc}`18_sanity_checks` asks the same of several networks.

# %% tags=["open"]
some = run.errors[:8] if len(run.errors) else [0]
images, true = run.tensor(rows[some]), labels[some]
true = true if len(run.errors) else (true + 1) % len(classes)  # no error: ask about another class
trace = tinyvgg.record(net, images)
first, second = (explanations(net, images, asked) for asked in (trace.predicted, true))
sets = {name: cells.flatten(1).sum(1) for name, cells in first.items() if name in RULES}
table = pd.DataFrame(
    {
        "the same for both classes": alike(first, second),
        "cells": {name: f"{size.double().mean():.0f}" for name, size in sets.items()},
    }
).fillna("")
names = {f"tracked_{rule}": f"tracked features, {name}" for rule, name in RULES.items()}
table = table.rename(index={**RULES, **METHODS, **names}).round(2)
table.sort_values("the same for both classes")

# %% tags=["open"]
blind = table.index[table["the same for both classes"] > SAME]
Markdown(
    f"Blind to the class, with a mean likeness above {SAME:g} over {len(some)} images:"
    f" {'; '.join(blind) or 'none'}."
)

# %% [markdown]
# ## Record a pass
#
# `record` runs the model once, as in eval mode, and follows what it does. Nothing of the model
# changes: it gets no hooks and keeps its mode. Pass images as the model takes them: of its size,
# dtype and device, scaled as in training.

# %% tags=["open"]
maps, active = trace.maps[0], (trace.maps > 0).double().mean()
print(f"{maps.numel():,} cells in last maps of shape {tuple(maps.shape)}, {active:.0%} are active")

# %% [markdown]
# ## Backtrack, by several rules
#
# `target` is the class to start from: an int for all images, a tensor with one for each, or none
# for the predicted one. Ask a rule about another class before you believe it. The last column gives
# the overlap (Jaccard) of its cells for the answer with those for the true class: at one, the rule
# does not see the class. Above, *contributions* were all cells with a positive share; here they are
# the largest ones, so that the overlaps differ. Cells that favour the answer over the truth cannot
# favour the truth over the answer: contrastive cells need no such test. {doc}`09_repairs` compares
# the rules.

# %% tags=["open"]
rules = {
    "Literal": tinyvgg.Literal(),
    "Cutoff": tinyvgg.Cutoff(),
    "Contribution": tinyvgg.Contribution(top=20),
    "Contrastive": tinyvgg.Contrastive(true, top=20),
}
found = {name: tinyvgg.backtrack(trace, rule=rule).pixels for name, rule in rules.items()}
table = {}
for name, cells in found.items():
    overlap = jaccard(cells, tinyvgg.backtrack(trace, true, rules[name]).pixels).nanmean()
    size, overlap = cells.flatten(1).sum(1).double().mean(), f"{overlap:.2f}".replace("nan", "—")
    table[name] = {"mean cells": f"{size:.0f}", "overlap with the true class's": overlap}
table["Contrastive"]["overlap with the true class's"] = "none, by definition"
pd.DataFrame(table).T.rename_axis("rule")

# %% [markdown]
# ## See it in the image
#
# `deconvolve` projects the last maps back. `track_features` shows what a set of cells adds to that.

# %% tags=["open"] mystnb={"figure": {"name": "fig-own-model", "caption": "The first image (at the left the class that it was taken for), the projection of all of its last maps, and the tracked features of the cells that three rules keep. Zero is mid-gray, each image on its own scale."}, "image": {"alt": "A face beside four gray pictures. The projection of all maps shows the lines of many parts of the face; the tracked features show fewer of them, and fewest where a rule keeps few cells."}}
projected = tinyvgg.deconvolve(trace)
features = {name: tinyvgg.track_features(trace, cells) for name, cells in found.items()}
answer = classes[int(trace.predicted[0])]
shown = {name: each[0] for name, each in features.items() if name != "Literal"}
image = run.faces.images[rows[some[0]]]
image_table({f"taken for {answer}": {"all maps": projected[0], **shown}}, image)

# %% [markdown]
# ## What to do next
#
# - Where labels can be wrong, look at those of suspect errors first. Then look at the worst slice,
#   then at the largest family.
# - Find training images in which these cells are strong: a label may be wrong, or a kind of image
#   may be missing. More images of that kind may help. Suppressing cells for good does not
#   ({doc}`19_what_did_not_work`).
# - Do not correct answers with what was found here: it took the true class to find it.
#
# ## Other architectures
#
# How much can be said of a model depends on what it is made of, and `trace.network.tier` says it:
#
# - *Exact chain*: convolutions, batch norms, ReLUs and max-pools, then dense layers. All that this
#   book does applies.
# - *Exact above a layer*: what stands above the maps of that layer is piecewise linear. Shares add up
#   to the logit but for the biases, and `rescore`, `suppress` and `repair` run that part again.
#   Without a choice of yours it is the last layer whose output has places.
# - *First order above a layer*: other functions, such as a sigmoid or attention, stand there. Answers
#   without some cells are still exact. Shares are approximate: `completeness_error` says how much
#   of each logit they miss.
#
# The deconvnet goes back through max-pools, ReLUs, sums and concatenations of any model. Algorithm
# 1 walks down any chain of linear functions and ReLUs above the layer.
#
# Of which kind are torchvision's classifiers? We read them with untrained weights, so that nothing
# had to be downloaded (`tools/read_classifiers.py`).

# %% tags=["open"]
known = files.measured("classifiers")
read = pd.DataFrame(known["models"]).set_index("model")[["tier", "deconvnet"]]
read["deconvnet"] = read["deconvnet"].map({True: "with a deconvnet", False: "without one"})
kinds = read["tier"].str.split("'").str[0].str.strip()
exact = kinds.str.startswith("exact").sum()
print(f"{exact} of {len(read)} models are exact, as a whole or above a layer.")
print(f"Too large for our machine: {', '.join(known['too_large'])}.")
pd.crosstab(kinds, read["deconvnet"], margins=True, margins_name="all")

# %% tags=["open"]
read.loc[["vgg16", "resnet18", "densenet121", "mobilenet_v3_small", "convnext_tiny", "vit_b_16"]]

# %% [markdown]
# ## As attributions
#
# Users of Captum or Quantus get the same from `attribute(inputs, target)`, in the shape of the
# images, so that metrics and visualisers of these libraries accept it. Quantus needs a function:
# `tinyvgg.quantus_explain`.

# %% tags=["open"]
torch.manual_seed(seed)
photograph = v2.functional.to_image(data.astronaut())  # by NASA, public domain
crops = torch.stack([photograph[:, :224, 110:334], photograph[:, 150:374, 200:424]])
images = v2.functional.to_dtype(crops, torch.float32, scale=True)
net = models.vgg16(weights=None)
methods = {
    "Backtracking": tinyvgg.Backtracking(net, tinyvgg.Contrastive(top=100)),
    "FeatureTracking": tinyvgg.FeatureTracking(net, tinyvgg.Contrastive(top=100)),
    "Deconvnet": tinyvgg.Deconvnet(net, layer="features.16"),
}
shapes = {tuple(method.attribute(images, target=7).shape) for method in methods.values()}
print("shape of each attribution:", *shapes)

# %% [markdown]
# ## What is refused
#
# The package refuses by name what it cannot follow, and says what to do about it:


# %% tags=["open"]
def said(model, images=images):
    try:
        tinyvgg.record(model, images)
    except tinyvgg.UserError as error:
        return str(error)


class Counts(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)).detach().numpy()


refused = {
    "answers that are no tensor": said(Counts()),
    "no maps above the images": said(nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2))),
    "images of another dtype": said(net, crops),
}
pd.Series(refused, name="message").to_frame()
