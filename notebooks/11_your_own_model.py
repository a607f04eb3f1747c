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
# The methods of this book work on other networks than Tiny VGG: convolutions, ReLUs, batch norms
# and max-pools, then a flatten and dense layers. Here they explain torchvision's VGG-16. It is not
# trained, since trained weights would have to be downloaded: the chapter shows *how* to explain a
# network, and not what a trained one sees. For a network of your own, replace the line that makes
# `net`:
#
# ```python
# net = models.vgg16(weights=models.VGG16_Weights.DEFAULT)  # or your own
# net.load_state_dict(torch.load("mine.pt"))
# ```
#
# The core of the package needs nothing but PyTorch and NumPy: `pip install .` in a checkout.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %% tags=["open"]
import pandas as pd
import torch
import torch.nn.functional as F
from skimage import data
from torch import nn
from torchvision import models
from torchvision.transforms import v2

import tinyvgg
from tinyvgg.chapters.deconvolution import image_table

# %% [markdown]
# ## A model and an image
#
# Prepare images as for the model itself: a batch of the right size, dtype and device, scaled as in
# training. Two crops of a photograph stand for a batch (the astronaut of scikit-image, by NASA,
# public domain).

# %% tags=["open"]
torch.manual_seed(seed)
net = models.vgg16(weights=None)

photograph = v2.functional.to_image(data.astronaut())
crops = torch.stack([photograph[:, :224, 110:334], photograph[:, 150:374, 200:424]])
prepare = v2.Compose(
    [
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ]
)
images = prepare(crops)

# %% [markdown]
# ## Record a pass
#
# `record` reads the model and runs it once, as in eval mode. Nothing of the model changes: it gets
# no hooks and keeps its mode. Layers are called as the model calls them.

# %% tags=["open"]
trace = tinyvgg.record(net, images)
print("in training mode, as before:", net.training)
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
# The *pixels* that backtracking looks for are elements of the last of these maps. VGG's average
# pool between them and the dense layers changes nothing at this image size; at others it does,
# and is taken into account.
#
# ## Backtrack, by several rules
#
# From which class? `target` is an int for all images, a tensor with one for each, or left out for
# the predicted one. {doc}`09_repairs` compares the rules.

# %% tags=["open"]
rules = [
    tinyvgg.Literal(),
    tinyvgg.Cutoff(floor=0.0),
    tinyvgg.Contribution(top=100),
    tinyvgg.Contrastive(top=100),
]
found = {rule: tinyvgg.backtrack(trace, rule=rule) for rule in rules}
pd.DataFrame(
    {
        type(rule).__name__: {
            **{
                f"neurons of {layer.name}": int(neurons[0].sum())
                for layer, neurons in zip(trace.network.dense, one.neurons, strict=False)
            },
            "pixels": int(one.pixels[0].sum()),
        }
        for rule, one in found.items()
    }
).rename_axis("first image")

# %% [markdown]
# ## See it in the image
#
# `deconvolve` projects the last maps back, and `track_features` shows what a set of pixels adds to
# that.

# %% tags=["open"] mystnb={"figure": {"name": "fig-own-model", "caption": "A photograph explained with VGG-16 without training: the projection of all last maps, and the tracked features of the pixels that three rules keep. Zero is mid-gray, each image on its own scale. That outlines appear although the network has learnt nothing shows how much of such pictures is the image itself."}, "image": {"alt": "A portrait and beside it four projections in which its outlines can be guessed."}}
projected = tinyvgg.deconvolve(trace)
features = {
    type(rule).__name__: tinyvgg.track_features(trace, one.pixels)
    for rule, one in found.items()
    if not isinstance(rule, tinyvgg.Literal)
}
image_table(
    {
        "first crop": {
            "all maps": projected[0],
            **{name: shown[0] for name, shown in features.items()},
        }
    },
    crops[0].permute(1, 2, 0).numpy(),
)

# %% [markdown]
# ## What would it take?
#
# `rescore` classifies the images again without some pixels; `repair` looks for the fewest pixels
# without which the network gives another answer, here the class that came second.

# %% tags=["open"]
second = trace.logits.sort(descending=True).indices[:, 1]
repaired = tinyvgg.repair(trace, second)
without = tinyvgg.rescore(trace, repaired.pixels)
pd.DataFrame(
    {
        "answer": trace.predicted.tolist(),
        "second": second.tolist(),
        "pixels suppressed": repaired.size.tolist(),
        "answer without them": without.argmax(1).tolist(),
        "no part of them suffices": repaired.minimal.tolist(),
    },
    index=pd.Index(["first crop", "second crop"], name="image"),
)

# %% [markdown]
# ## As attributions
#
# Users of Captum or Quantus get the same from `attribute(inputs, target)`, in the shape of the
# images, so that their metrics and visualisers accept it. Quantus needs a function:
# `tinyvgg.quantus_explain`.

# %% tags=["open"]
methods = {
    "Backtracking": tinyvgg.Backtracking(net, tinyvgg.Contrastive(top=100)),
    "FeatureTracking": tinyvgg.FeatureTracking(net, tinyvgg.Contrastive(top=100)),
    "Deconvnet": tinyvgg.Deconvnet(net, layer="features.16"),
}
pd.Series(
    {name: tuple(method.attribute(images, target=7).shape) for name, method in methods.items()},
    name="shape",
).to_frame()

# %% [markdown]
# ## A model with a forward of its own
#
# The forward is followed symbolically, so it may be written as you like, as long as it is a chain
# of such layers. A softmax at the end is ignored: explanations work on logits.


# %% tags=["open"]
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.norm = nn.BatchNorm2d(16)
        self.fc1, self.fc2 = nn.Linear(16 * 5 * 5, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.norm(self.conv2(x))), 2)
        x = F.dropout(x.flatten(1), training=self.training)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)


small = tinyvgg.record(LeNet(), torch.rand(4, 3, 32, 32))
{layer.name: type(layer).__name__ for layer in (*small.network.body, *small.network.dense)}

# %% [markdown]
# ## What is refused
#
# The package refuses by name what it cannot explain exactly, and says what to do about it:


# %% tags=["open"]
def said(model, images=images):
    try:
        tinyvgg.record(model, images)
    except tinyvgg.UserError as error:
        return str(error)


body = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)]
leaky = [body[0], nn.LeakyReLU(), body[2]]
head = [nn.Flatten(), nn.Linear(4 * 111 * 111, 2)]
refused = {
    "ResNet-18, whose paths split": said(models.resnet18()),
    "MobileNet V2": said(models.mobilenet_v2()),
    "a leaky ReLU": said(nn.Sequential(*leaky, *head)),
    "no dense layer": said(nn.Sequential(*body)),
    "images of another size": said(LeNet()),
    "images of another dtype": said(net, crops),
    "an image that is not a batch": said(net, images[0]),
    "NaN in an image": said(net, images.masked_fill(images > 2, float("nan"))),
}
pd.Series(refused, name="message").to_frame()
