# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Claims that take other networks
#
# Four statements of the paper come without a number, a picture or a setting: Adam and Adagrad bring
# no gain; VGG-16 and VGG-19 cannot be trained; average pools and inception modules give no
# appealing deconvolutions; augmenting the images where features mislead might help. Do they hold?
#
# The other chapters have no networks to test them. `tinyvgg trial` trains such networks in hours
# and keeps a record. This chapter reads the records. It judges the claims by rules that were
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
from tinyvgg.chapters.statistics import mean_interval, networks_of, trial_records
from tinyvgg.chapters.trials import CHOOSING, DEEP_EPOCHS
from tinyvgg.chapters.verdicts import conclude, judge
from tinyvgg.training.experiments import open_study
from tinyvgg.training.watching import LEFT

OUTCOMES = {
    "P2": ("Mean errors", "optimiser", "errors", "{:.1f}"),
    "P3": ("Deep networks that learn", "initialisation", "learned", "{:.0%}"),
    "P4": ("Mean correlation of deconvolution and edges", "architecture", "edges", "{:.2f}"),
    "W1": ("Mean errors", "augmentation", "errors", "{:.1f}"),
}
NAMES = {"sgd": "plain gradient descent", "adam": "Adam", "adagrad": "Adagrad"}
NAMES |= {"tinyvgg": "Tiny VGG", "average": "average pools", "inception": "inception module"}
study = open_study(profile, faces, seed, networks=networks)
records = trial_records(profile, study.faces.fingerprint)
tables = {name: pd.DataFrame(records[name]["networks"]) for name in OUTCOMES if name in records}
for name in tables.keys() & {"P2", "P3"}:
    tables[name]["learned"] = tables[name]["left_plateau"].notna()


def told(table, what, by, column, form):
    """List the means over networks by the setting that they differ in, for each task."""
    found = []
    for task, part in table.groupby("task", sort=False):
        means = part.groupby(by, sort=False)[column].mean().sort_values()
        said = ", ".join(f"{form.format(x)} ({NAMES.get(name, name)})" for name, x in means.items())
        found.append(f"{paper.TASK_NAMES[task]} {said}")
    return f"{what}: {'; '.join(found)}."


def against(table, other):
    """Say how erasing where features point compares with another training of the same networks."""
    errors = table.pivot(index="seed", columns="augmentation", values="errors")
    ratio = errors["tracked"].sum() / errors[other].sum() - 1
    more = int((errors["tracked"] > errors[other]).sum())
    said = f"{abs(ratio):.0%} {'more' if ratio > 0 else 'fewer'} errors"
    return f"{said} (more in {more} of {len(errors)} networks)"


final = tables["P2"][tables["P2"]["seed"] != CHOOSING] if "P2" in tables else pd.DataFrame()
failed = final[~final["learned"]] if len(final) else final
lost = [f"{NAMES[row.optimiser]} for {paper.TASK_NAMES[row.task]}" for row in failed.itertuples()]
count = style.in_words(len(lost), "network")
lost = (
    f"Left out of these means, but not of the verdict: {count} that never learned ({', '.join(lost)})."
    if lost
    else ""
)


# %%
verdicts, lines = judge(networks_of(study)), ["> **What came out.**", ""]
for claim, table in tables.items():
    shown = final[final["learned"]] if claim == "P2" else table
    found = [told(shown, *OUTCOMES[claim]), lost if claim == "P2" else ""]
    if claim == "W1":
        said = f"{against(table, 'moved')} than the same patches at random places"
        found = [f"Erasing where tracked features point leaves {said}.", *found]
    title, verdict = paper.claim(claim).title, verdicts[claim].verdict
    lines.append(f"- {title}: **{verdict}**. {' '.join(found)}".rstrip())
for claim in sorted(OUTCOMES.keys() - tables.keys()):
    how = f"`tinyvgg trial {claim} --profile {profile} --faces {study.source}` records it."
    lines.append(f"- {paper.claim(claim).title}: not recorded here. {how}")
Markdown("\n> ".join(lines))


# %%
def curve(text):
    return np.array(text.split(), float)


def spread(table, by, values):
    """Tabulate means over networks with Student's 95 % interval, by task where there are some."""
    found = {}
    for (task, *keys), part in table.groupby(["task", *by], sort=False):
        cells = {}
        for name, unit in values.items():
            mean, (low, high) = part[name].mean(), mean_interval(part[name].to_numpy(float))
            unit = "mean" if unit == "count" else unit
            text = paper.show(mean, unit)
            bounds = f" ({paper.show_interval((low, high), unit)})" if low == low else ""
            cells[name.replace("_", " ")] = text + bounds
        found[(paper.TASK_NAMES[task], *keys)] = cells
    shown = pd.DataFrame.from_dict(found, orient="index").rename_axis(["task", *by])
    return shown if table["task"].nunique() > 1 else shown.droplevel("task")


# %% [markdown]
# ## Other optimisers
#
# An optimiser may fail merely because its learning rate is bad, so each gets three rates to choose
# from. The first table shows the error rates of the networks that serve this choice, on images held
# out of the training part, after the last epoch. With its chosen rate each optimiser then trains
# several networks to the end. The second table shows means over those that learned, with 95 %
# intervals.

# %%
if "P2" in tables:
    trained, chosen = tables["P2"], tables["P2"]["seed"] == CHOOSING
    tried = trained[chosen].replace({"task": paper.TASK_NAMES, "optimiser": NAMES})
    tried["held-out errors"] = [curve(text)[-1] for text in tried["validation_errors"]]
    choice = tried.pivot_table("held-out errors", ["task", "optimiser"], "rate", sort=False)
    choice = choice[sorted(choice)]
    best = choice.eq(choice.min(axis=1), axis=0)
    shown = choice.map("{:.1%}".format).where(choice.notna(), "")
    display(shown.where(~best, shown + " (chosen)").rename_axis(columns=None))
    needed = final[final["learned"]].rename(columns={"last_epoch": "epochs_needed"})
    needed = needed.replace({"optimiser": NAMES})
    display(spread(needed, ["optimiser", "rate"], {"errors": "count", "epochs_needed": "count"}))
    display(Markdown(lost))


# %% mystnb={"figure": {"name": "fig-optimisers", "caption": "Training error over the epochs, measured in passing, for each optimiser with its chosen rate: a line for each network, on a logarithmic scale."}, "image": {"alt": "One panel a task with lines that fall over the epochs, in a colour for each optimiser."}}
@style.styled()
def optimiser_curves(final):
    tasks = final["task"].unique()
    figure, axes = style.grid(1, len(tasks), aspect=0.7, sharey=True)
    colours = {"sgd": style.BLUE, "adam": style.ORANGE, "adagrad": style.GREEN}
    for axis, task in zip(axes[0], tasks, strict=True):
        for row in final[final["task"] == task].itertuples():
            errors = np.maximum(curve(row.train_errors), 1 / row.training_images)
            label = NAMES[row.optimiser] if row.seed == final["seed"].min() else None
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
# little in each layer on its way back has vanished when it reaches the first one. How much it
# shrinks depends on the initial weights. Glorot's, which the published code uses, keep its size in layers without ReLUs; He's keep
# it in layers with ReLUs; *torch* are PyTorch's defaults. A network counts as learning if its
# training loss falls clearly below that of a constant answer.

# %%
if "P3" in tables:
    deep = tables["P3"].assign(task=tables["P3"]["task"].map(paper.TASK_NAMES))
    deep["left the plateau in epoch"] = deep["left_plateau"].map("{:.0f}".format, "ignore")
    deep["training error"] = [
        f"{curve(text)[-1]:.1%}" if isinstance(text, str) else "the loss diverged"
        for text in deep["train_errors"]
    ]
    columns = ["left the plateau in epoch", "training error"]
    display(deep.set_index(["architecture", "task", "initialisation"])[columns].fillna("never"))
    display(Markdown(f"The plateau ends below {LEFT:.0%} of a constant answer's loss."))


# %% mystnb={"figure": {"name": "fig-gradients", "caption": "Norm of the gradient of the loss with respect to the weights of each layer of the deep networks, from the first convolution to the last dense layer, in the first epoch (solid) and the last one (dashed), on a logarithmic scale."}, "image": {"alt": "One panel a network with a solid and a dashed line over the layers for each kind of initial weights."}}
@style.styled()
def gradient_norms(deep):
    networks = list(deep[["architecture", "task"]].drop_duplicates().itertuples(index=False))
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
# look appealing. An average pool has no switches, so that its counterpart spreads each value
# evenly. An inception module adds up what comes back through its branches. Judge for yourself:


# %% mystnb={"figure": {"name": "fig-layers", "caption": "Test images and their deconvolutions from the last maps of three networks for each task: Tiny VGG, the same with average pools, and the same with an inception module in place of its fourth convolution. Gray is zero; each picture has its own scale."}, "image": {"alt": "For each task a row of faces, and below it a row of their deconvolutions for each network. Average pools leave broad blurs; the other two leave finer lines."}}
def projected(record):
    rows = []
    with np.load(record["path"].with_suffix(".npz")) as pictures:
        for task in study.tasks:
            images = pictures[f"{task}.tinyvgg.images"]
            rows.append((paper.TASK_NAMES[task], [("", image) for image in images]))
            for name in ("tinyvgg", "average", "inception"):
                drawn = [("", each) for each in pictures[f"{task}.{name}.projections"]]
                rows.append((NAMES[name].replace(" ", "\n"), drawn))
    return style.pictures(rows, cell=style.WIDTH / 6, aspect=1.02)


projected(records["P4"]) if "P4" in tables else None

# %% [markdown]
# *Edges* is the correlation, over the pixels, of a deconvolution's ink (its absolute values) with
# the edges of the image. *Sharpness* is how much the ink changes from pixel to pixel, as a share of
# the mean ink. *On face* is the share of the ink on the face. Means over networks, with 95 %
# intervals:

# %%
if "P4" in tables:
    values = {"errors": "count", "edges": "share", "sharpness": "share", "on_face": "percent"}
    values = {name: unit for name, unit in values.items() if name in tables["P4"]}
    display(spread(tables["P4"], ["architecture"], values))

# %% [markdown]
# ## Augmentation where features mislead
#
# The paper's last idea is to find the features that mislead the network and to augment the training
# images there. Here the network for emotion is trained further while parts of the images are
# erased, so that it cannot rely on them:
#
# - *tracked* erases where the tracked features of the strongest wrong class lie;
# - *moved* erases the same patches at random places;
# - *contrastive* erases where the exact contributions to the margin of that class point;
# - *parts* erases the brows, the eyes and the mouth;
# - *rectangles* erases the same number of pixels, in rectangles;
# - *none* erases nothing, and *fresh* adds new renderings of the images that the network is least
#   sure of instead.

# %%
if "W1" in tables:
    display(spread(tables["W1"], ["augmentation"], {"errors": "count"}))


# %% mystnb={"figure": {"name": "fig-augmentation", "caption": "Errors on test images after further training, as a multiple of those of the same network after further training without any augmentation: each network as a gray dot, and the mean as a blue dot with its 95 % interval. Fresh adds renderings; the others erase parts of the training images."}, "image": {"alt": "A row of gray dots and a blue one for each kind of augmentation, on both sides of an upright line at one."}}
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
    axis.set(ylim=(len(kinds) - 0.5, -0.5), xlabel="errors, further training without erasing = 1")
    return figure


augmentation_plot(tables["W1"]) if "W1" in tables else None

# %% [markdown]
# ## What may be concluded, and what may not

# %%
conclude(study, *OUTCOMES)

# %%
Markdown(
    f"- Deep networks train for {DEEP_EPOCHS} epochs here, on small images. One that has not learned"
    " by then might learn later.\n- What appeals is a matter of taste. The measure is ours."
    " Where the deconvolutions of Tiny VGG itself do not follow the edges, it says little."
    "\n- The images are synthetic. An augmentation that helps here may not help on photographs."
)
