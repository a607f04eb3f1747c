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
# # Claims that take other networks
#
# Four statements of the paper come without a number, a picture or a setting. Adam and Adagrad bring
# nothing. VGG-16 and VGG-19 cannot be trained. Average pools and inception modules give no appealing
# deconvolutions. And to augment the images where features mislead might help. Do they hold?
#
# Each takes networks that the other chapters do not have. `tinyvgg trial` trains them, which takes
# hours, and keeps a record; this chapter reads the records and judges the claims by rules that were
# written before the networks were trained.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.ticker import PercentFormatter

from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import mean_interval, trial_records
from tinyvgg.chapters.trials import DEEP_EPOCHS
from tinyvgg.chapters.verdicts import conclude
from tinyvgg.training.experiments import open_study
from tinyvgg.training.watching import LEFT

CLAIMS = ("P2", "P3", "P4", "W1")
study = open_study(profile, faces, seed, networks=networks)
records = trial_records(profile, study.faces.fingerprint)
records = {claim: records[claim] for claim in CLAIMS if claim in records}
tables = {claim: pd.DataFrame(record["networks"]) for claim, record in records.items()}
missing = ", ".join(claim for claim in CLAIMS if claim not in records)
how = f"`tinyvgg trial CLAIM --profile {profile} --faces {study.source}` does it."
Markdown(f"Not recorded here: {missing}. {how}") if missing else None

# %%
rows = {
    claim: {
        "networks": len(record["networks"]),
        "hours of training": f"{record['seconds'] / 3600:.1f}",
        "on": ", ".join(record["device"]),
        "made with": "; ".join(record["made_with"]),
    }
    for claim, record in records.items()
}
pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim") if records else None


# %%
def curve(text):
    return np.array(text.split(), float)


def spread(table, by, values):
    """Tabulate means over networks with Student's 95 % interval."""
    found = {}
    for (task, *keys), part in table.groupby(["task", *by], sort=False):
        cells = {}
        for name, unit in values.items():
            mean, (low, high) = part[name].mean(), mean_interval(part[name].to_numpy(float))
            text = paper.show(mean, "mean" if unit == "count" else unit)
            bounds = f" ({paper.show_interval((low, high), unit)})" if low == low else ""
            cells[name.replace("_", " ")] = text + bounds
        found[(paper.TASK_NAMES[task], *keys)] = {"networks": len(part), **cells}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis(["task", *by])


# %% [markdown]
# ## Other optimisers
#
# An optimiser may fail for want of a good learning rate. So each gets three to choose from, on
# images that are held out of the training part, with networks that are then thrown away. These are
# the errors on the held-out images after the last epoch:

# %%
if "P2" in tables:
    tried = tables["P2"][tables["P2"]["selection"].notna()].copy()
    tried["held-out errors"] = [curve(text)[-1] for text in tried["validation_errors"]]
    tried["task"] = tried["task"].map(paper.TASK_NAMES)
    choice = tried.pivot_table("held-out errors", ["task", "optimiser"], "rate", sort=False)
    best = choice.eq(choice.min(axis=1), axis=0)
    shown = choice.map("{:.1%}".format).where(choice.notna(), "")
    display(shown.where(~best, shown + " (chosen)"))

# %% [markdown]
# With the chosen rate each trains several networks to the end:

# %%
if "P2" in tables:
    final = tables["P2"][tables["P2"]["selection"].isna()]
    final = final.rename(columns={"last_epoch": "epochs_needed"})
    display(spread(final, ["optimiser", "rate"], {"errors": "count", "epochs_needed": "count"}))


# %% mystnb={"figure": {"name": "fig-optimisers", "caption": "Training error in passing over the epochs for each optimiser with its chosen rate, a line a network, on a logarithmic scale."}, "image": {"alt": "Falling lines, one panel a task, with a colour for each optimiser"}}
def optimiser_curves(final):
    tasks = final["task"].unique()
    figure, axes = style.grid(1, len(tasks), aspect=0.7, sharey=True)
    colours = {"sgd": style.BLUE, "adam": style.ORANGE, "adagrad": style.GREEN}
    for axis, task in zip(axes[0], tasks, strict=True):
        for row in final[final["task"] == task].itertuples():
            errors = np.maximum(curve(row.train_errors), 1 / row.training_images)
            label = row.optimiser if row.seed == final["seed"].min() else None
            axis.plot(1 + np.arange(len(errors)), errors, color=colours[row.optimiser], label=label)
        axis.set(title=paper.TASK_NAMES[task], xlabel="epoch", yscale="log")
        axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=2))
    axes[0, 0].set_ylabel("training error in passing")
    axes[0, 0].legend()
    return figure


optimiser_curves(final) if "P2" in tables else None

# %% [markdown]
# ## Deeper networks
#
# VGG-16 and VGG-19 have 13 and 16 convolutions where Tiny VGG has six. A gradient that shrinks a
# little in each layer is gone at the first. How much it shrinks depends on the initial weights:
# Glorot's, which the published code has, keep its size in layers without ReLUs, He's in layers with
# them; *torch* is what the layers have by default. A network learns if its training loss falls
# clearly below that of a constant answer.

# %%
if "P3" in tables:
    deep = tables["P3"].assign(task=tables["P3"]["task"].map(paper.TASK_NAMES))
    deep["left the plateau in epoch"] = deep["left_plateau"].map("{:.0f}".format, "ignore")
    deep["training error"] = [
        f"{curve(text)[-1]:.1%}" if isinstance(text, str) else "the loss diverged"
        for text in deep["train_errors"]
    ]
    columns = ["left the plateau in epoch", "training error"]
    index = ["architecture", "task", "initialisation"]
    display(deep.set_index(index)[columns].fillna("never"))
    display(Markdown(f"The plateau is left below {LEFT:.0%} of a constant answer's loss."))


# %% mystnb={"figure": {"name": "fig-gradients", "caption": "Norm of the loss's gradient by the weights of each layer, from the first convolution to the last dense layer, in the first epoch (solid) and the last one (dashed), on a logarithmic scale."}, "image": {"alt": "One panel a network with a pair of lines for each kind of initial weights"}}
def gradient_norms(deep):
    networks = deep[["architecture", "task"]].drop_duplicates().itertuples(index=False)
    networks = list(networks)
    figure, axes = style.grid(1, len(networks), aspect=1.0, sharey=True)
    colours = {"glorot": style.BLUE, "he": style.ORANGE, "torch": style.GREEN}
    for axis, (architecture, task) in zip(axes[0], networks, strict=True):
        mine = deep[(deep["architecture"] == architecture) & (deep["task"] == task)]
        for row in mine.dropna(subset="gradients").itertuples():
            norms = np.array([curve(text) for text in row.gradients.values()])
            for epoch, line in ((0, "-"), (-1, "--")):
                values = np.maximum(norms[:, epoch], 1e-12)
                label = row.initialisation if not epoch else None
                axis.plot(values, line, color=colours[row.initialisation], label=label)
        axis.set(yscale="log", xlabel="layer", title=f"{architecture.upper()}, {task}")
    axes[0, 0].set_ylabel("norm of the gradient")
    axes[0, 0].legend()
    return figure


gradient_norms(deep) if "P3" in tables else None

# %% [markdown]
# ## Other layers
#
# The paper avoids average pooling and inception modules, since deconvolutions through them do not
# look appealing. An average pool has no switches: its counterpart spreads each value evenly. An
# inception module sums what comes back through its branches. Appeal is in the eye of the beholder,
# so the picture stands first:


# %% mystnb={"figure": {"name": "fig-layers", "caption": "Test images and their deconvolutions from the last maps of three networks for each task: Tiny VGG, the same with average pools, and the same with an inception module in place of its fourth convolution. Gray is zero; each picture has its own scale."}, "image": {"alt": "Rows of faces and of their projections, one row a network"}}
def projected(record):
    names = {
        "tinyvgg": "Tiny VGG",
        "average": "average\npools",
        "inception": "inception\nmodule",
    }
    rows = []
    with np.load(record["path"].with_suffix(".npz")) as pictures:
        for task in study.tasks:
            images = pictures[f"{task}.tinyvgg.images"]
            rows.append((paper.TASK_NAMES[task], [("", image) for image in images]))
            for name, label in names.items():
                rows.append(
                    (label, [("", each) for each in pictures[f"{task}.{name}.projections"]])
                )
    return style.pictures(rows, cell=style.WIDTH / 6, aspect=1.02)


projected(records["P4"]) if "P4" in records else None

# %% [markdown]
# *Edges* is the correlation of a projection's ink with the edges of the image over the pixels.
# *Sharpness* is how much the ink changes from pixel to pixel, as a share of the ink. *On face* is the
# share of the ink on the parts of the face.

# %%
if "P4" in tables:
    values = {"errors": "count", "edges": "share", "sharpness": "share", "on_face": "percent"}
    values = {name: unit for name, unit in values.items() if name in tables["P4"]}
    display(spread(tables["P4"], ["architecture"], values))

# %% [markdown]
# ## Augmentation where features mislead
#
# The paper's last idea: find the features that mislead the network, and augment the training images
# there. The network for emotion is trained on, while parts of the images are erased, so that it
# cannot rely on them. *Tracked* erases where the features of the strongest wrong class lie,
# *contrastive* where the exact contributions to its margin point, *parts* the brows, the eyes and the
# mouth; *moved* the same patches as *tracked*, but anywhere, and *rectangles* as much at random.
# *None* is training on alone, and for *fresh* as many images as are changed in the other cases are
# rendered anew: other takes of those that the network nearly got wrong.

# %%
if "W1" in tables:
    tables["W1"]["error_rate"] = tables["W1"]["errors"] / tables["W1"]["test_images"]
    values = {"before": "count", "errors": "count", "error_rate": "percent"}
    display(spread(tables["W1"], ["augmentation"], values))


# %% mystnb={"figure": {"name": "fig-augmentation", "caption": "Errors on test images after training on, with parts of the training images erased in different places, as a share of those after training on without erasing: each network as a dot, and the mean with its 95 % interval."}, "image": {"alt": "A row of dots for each kind of augmentation beside a line at one"}}
def augmentation_plot(table):
    wide = table.pivot(index="seed", columns="augmentation", values="errors") + 0.5
    kinds = [kind for kind in table["augmentation"].unique() if kind != "none"]
    figure, axes = style.grid(1, 1, cell=style.WIDTH * 0.7, aspect=0.5)
    axis = axes[0, 0]
    for place, kind in enumerate(kinds):
        ratios = (wide[kind] / wide["none"]).to_numpy()
        low, high = mean_interval(ratios)
        axis.plot(ratios, np.full(len(ratios), place), ".", color=style.GRAY)
        if low == low:
            axis.hlines(place, low, high, color=style.BLUE)
        axis.plot(ratios.mean(), place, "o", color=style.BLUE)
    axis.axvline(1, color=style.GRAY, linewidth=0.8, linestyle=":")
    axis.set_yticks(range(len(kinds)), kinds)
    axis.set(ylim=(len(kinds) - 0.5, -0.5), xlabel="errors, training on without erasing = 1")
    return figure


augmentation_plot(tables["W1"]) if "W1" in tables else None

# %% [markdown]
# ## What may be concluded, and what may not

# %%
conclude(study, *CLAIMS)

# %%
Markdown(
    f"- The deep networks were trained for {DEEP_EPOCHS} epochs, on small images; one that has not"
    " learned by then might learn later.\n- What appeals is a matter of taste; the measure is ours."
    "\n- The images are synthetic. An augmentation that helps here may not help on photographs."
)
