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
# # Explain your own model
#
# A colleague hands you a network and a folder of images that it gets wrong. Is it the labels, one
# kind of image, or the model? Any model that maps a batch of images to logits can be asked. Here it
# is one of this book's own networks, treated as if it were a stranger's. For yours, replace the cell
# that makes `net` and `loader`, and what later cells take from `run`.
#
# The same without Python, for a checkpoint and a folder with a sub-folder for each class:
#
# ```sh
# tinyvgg report --model package.module:make --weights mine.safetensors --faces folder:PATH
# tinyvgg explain one.jpg --model package.module:make --weights mine.safetensors
# ```
#
# `make` is a function that returns your model. Weights are loaded without running any code.
# `--preprocessing` says how pixels are scaled, and takes the name of torchvision's weights as well.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %% tags=["open"]
import warnings
from copy import deepcopy

import pandas as pd
import torch
from IPython.display import Markdown
from skimage import data
from torch import nn
from torchvision import models
from torchvision.transforms import v2

import tinyvgg
from tinyvgg import files
from tinyvgg.chapters.deconvolution import image_table
from tinyvgg.chapters.sanity import METHODS, RULES, SAME, alike, by_captum, explanations
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
Markdown("> **What came out.** " + " ".join(errors.conclusions(slices)))

# %% [markdown]
# ## Errors first
#
# `explain_errors` runs over a loader, a `DataLoader` or a list of pairs of images and labels. For
# each error it finds the fewest cells whose suppression makes the answer right. A *cell* is an
# element of the last maps; the paper calls them pixels, and so does the code. Each row also has how
# often as many random cells do the same (*chance*), the *contrastive* cells (all with a share in
# the answer minus the truth), and which share of the active cells the paper's Algorithm 1 keeps.

# %% tags=["open"]
errors.table.head(5).T

# %% tags=["open"] mystnb={"figure": {"name": "fig-own-errors", "caption": "Errors, and at the right of each what the cells of its repair show in the image."}, "image": {"alt": "Faces, each beside a few dark traces on a part of it."}}
errors.show()

# %% [markdown]
# Errors that are decided by the same maps at the same places form a family. Each has a prototype,
# the error that is nearest to the others, with its classes and the cells of its repair.

# %% tags=["open"]
errors.families().drop(columns="errors").head(6)

# %% [markdown]
# ## Methods side by side
#
# Which method tells one class from another? Each explains the answer to a few errors and then the
# true class of the same images. A method whose two explanations are the same is blind to the class:
# it cannot say why the answer was this one. For sets of cells the table has their overlap, for
# pictures the correlation of ranks. *Passes* counts how often an image goes through the network;
# methods that follow gradients also go back. All of ours are read from one recorded pass. Captum's
# methods come from its package.

# %% tags=["open"]
some = run.errors[:8] if len(run.errors) else [0]
images, true = run.tensor(rows[some]), labels[some]
trace = tinyvgg.record(net, images)


def passes(name):
    seen, other = [], deepcopy(net)
    other.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    by_captum(other, images[:1], true[:1], [name])
    return sum(seen)


captums = by_captum(deepcopy(net), images[:1], true[:1])
same = alike(explanations(net, images, trace.predicted), explanations(net, images, true))
table = pd.DataFrame(
    {
        "the same for both classes": same,
        "passes": dict(zip(captums, map(passes, captums), strict=True)),
    }
)
table["passes"] = table["passes"].fillna(1).astype(int)
table["blind"] = table.iloc[:, 0].gt(SAME).map({True: "yes", False: "no"})
names = {f"tracked_{rule}": f"tracked features, {name}" for rule, name in RULES.items()}
table = table.rename(index={**RULES, **METHODS, **names})
table.sort_values("the same for both classes")

# %% [markdown]
# ## Record a pass
#
# `record` runs the model once, as in eval mode, and follows what it does. Nothing of the model
# changes: it gets no hooks and keeps its mode. Pass images as the model takes them: of its size,
# dtype and device, scaled as in training. The table has the maps after each max-pool and their
# active share.

# %% tags=["open"]
pd.DataFrame(
    [
        {
            "max-pool": trace.network.body[position].name,
            "maps": " x ".join(map(str, maps.shape[1:])),
            "active": f"{(maps > 0).double().mean():.1%}",
        }
        for position, maps in zip(trace.network.poolings, trace.pooled, strict=True)
    ]
).set_index("max-pool")

# %% [markdown]
# ## Backtrack, by several rules
#
# `target` is the class to start from: an int for all images, a tensor with one for each, or none
# for the predicted one. Ask a rule about another class before you believe it: the last column has
# the overlap (Jaccard) with its cells for the true class. {doc}`09_repairs` compares the rules.

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
    own = rules[name] if name != "Contrastive" else tinyvgg.Contrastive(trace.predicted, top=20)
    other = tinyvgg.backtrack(trace, true, own).pixels
    both, either = (f(cells, other).flatten(1).sum(1) for f in (torch.mul, torch.logical_or))
    overlap = (both / either.clamp(min=1)).double().mean()
    size = cells.flatten(1).sum(1).double().mean()
    table[name] = {"mean cells": f"{size:.1f}", "overlap with the true class's": f"{overlap:.2f}"}
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
# - Look at the labels that are suspect, then at the worst slice, then at the largest family.
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
# - *First order above a layer*: other functions, such as a sigmoid or attention, stand there. The
#   model's answers without some cells are its own as before; shares are an approximation, and
#   `completeness_error` has how much is missing of each image's logit.
#
# The deconvnet goes back through max-pools, ReLUs, sums and concatenations of any model. Algorithm
# 1 walks down any chain of linear functions and ReLUs above the layer.
#
# How many of torchvision's classifiers are of which kind? They have initial weights, since the trained
# ones would have to be downloaded (`tools/read_classifiers.py`). Each is read.

# %% tags=["open"]
known = files.measured("classifiers")
read = pd.DataFrame(known["models"]).set_index("model")
read["deconvnet"] = read["deconvnet"].map({True: "with a deconvnet", False: "without one"})
kinds = read["tier"].str.split("'").str[0].str.strip()
print(f"{len(read)} models; too large for our machine: {', '.join(known['too_large'])}")
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
def said(model, images=images, layer=None):
    try:
        tinyvgg.record(model, images, layer)
    except tinyvgg.UserError as error:
        return str(error)


class Counts(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)).detach().numpy()


refused = {
    "answers that are no tensor": said(Counts()),
    "no maps above the images": said(nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2))),
    "a layer that is not there": said(models.alexnet(), layer="conv9"),
    "images of another dtype": said(net, crops),
    "an image that is not a batch": said(net, images[0]),
    "NaN in an image": said(net, images.masked_fill(images > 0.9, float("nan"))),
}
pd.Series(refused, name="message").to_frame()
