# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Backtracking
#
# Which elements of the last feature maps led the network to its answer? {cite:t}`fang2017` calls
# such an element a "pixel". In this book it is a **cell**, and a pixel is always one of an image.
# The paper walks down from the class that won through the dense layers. In each it keeps the
# neurons with a positive product of activation and weight, and at the end the cells. One question
# it does not ask: **does the result depend on the class?**

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

from tinyvgg import paper
from tinyvgg.backtracking import Cutoff, Literal, Strongest, backtrack
from tinyvgg.chapters import backtracking as chapter
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import RULES, logit_terms, pixel_counts
from tinyvgg.chapters.bench import repair_bench
from tinyvgg.chapters.statistics import (
    averages,
    bootstrap_interval,
    digest,
    estimate,
    proportion_interval,
)
from tinyvgg.chapters.verdicts import conclude, endings, record_numbers
from tinyvgg.contribution import top_pixels
from tinyvgg.paper import TASK_NAMES
from tinyvgg.trace import record
from tinyvgg.training.experiments import open_study

# %% tags=["nbval-ignore-output"]
study = open_study(profile, faces, seed, networks=networks)
runs = {task: study.run(task) for task in study.tasks}
identity = runs[study.tasks[0]]
endings(*runs.values())

# %%
followed = {task: chapter.follow_errors(run, seed) for task, run in runs.items()}
by_error = {task: chapter.overlap_table(part) for task, part in followed.items()}


def same(rule):
    """Count the errors with exactly the same cells for a random class, by task."""
    found = {task: random_class[task][rule].dropna() for task in random_class}
    said = {
        task: style.share_in_words((x == 1).sum(), len(x)) for task, x in found.items() if len(x)
    }
    return " and ".join(f"{errors} of {TASK_NAMES[task]}" for task, errors in said.items())


random_class = {
    task: {
        rule: part["overlap"]
        for rule, part in table.query("layer == 'pixels' & against == 'random'").groupby("rule")
    }
    for task, table in by_error.items()
    if len(runs[task].errors)
}
shares = {
    task: share for task, of in random_class.items() if (share := of["contribution"].mean()) >= 0
}
answer = (
    "Asked about another class, drawn at random, Algorithm 1 finds exactly the same cells for"
    f" {same('literal')}."
)
if cutoff := same("cutoff"):
    again = "" if cutoff == same("literal") else f" for {cutoff}"
    answer += f" The published code adds a cutoff; the cells are still the same{again}."
if shares:
    said = " and ".join(f"{share:.0%} for {TASK_NAMES[task]}" for task, share in shares.items())
    answer += (
        " Choose the same number of cells by their exact share in the logit of each class, and the"
        f" two sets overlap by {said}."
    )
    if max(shares.values()) < paper.claim("A1").tests[0].bound:
        answer += (
            " So the network does distinguish the classes, and the algorithm does not show it."
        )
Markdown(f"> **What came out.** {answer}") if random_class else None

# %% mystnb={"figure": {"name": "fig-same-cells", "caption": "Overlap (Jaccard) of the cells that each method finds for the predicted class with those that it finds for a random other class, mean over the errors of the network for the last task."}, "image": {"alt": "A bar each for Algorithm 1, the published cutoff and contributions."}}
names = {"literal": "Algorithm 1", "cutoff": "published cutoff", "contribution": "contributions"}
last = random_class.get(study.tasks[-1], {})
overlap = {name: last[rule].mean() for rule, name in names.items() if rule in last}
style.bars(overlap, [style.ORANGE, style.ORANGE, style.BLUE][: len(overlap)]) if overlap else None

# %% [markdown]
# ## From the class to the last hidden layer
#
# The network's last layer is a softmax (the paper's equation 2) over the pre-activations $x$
# (equation 3):
#
# $$
# \frac{e^{x_k}}{\sum_j e^{x_j}}, \qquad x_k = \sum_{i=1}^m a_i^{l-1} W_i^k + b_k .
# $$
#
# The exponential grows with $x$, so the class with the largest $x_k$ wins. Since $b_k$ is small,
# the paper argues, neurons with $a_i^{l-1} W_i^k > 0$ make $x_k$ large. It calls such neurons
# activated. The figure has the terms for one test image.

# %%
rows = identity.split.test[identity.errors] if len(identity.errors) else identity.split.test
image = record(identity.model, identity.tensor(rows[:1]))

# %% mystnb={"figure": {"name": "fig-last-layers", "caption": "How the last hidden layer feeds the class that won, for one image (the paper's Figure 6, with measured values). Left: the neurons with the largest products, their activation as ink and the product $a_i W_{ik}$ beside it; lines are blue where it is positive, red where it is negative, and the thicker the larger. Right: the pre-activations of the leading classes and their probabilities."}, "image": {"alt": "Two dozen neurons on the left. Blue and red lines of different thickness join them to the winning class on the right, which stands above the other classes with their smaller pre-activations."}}
chapter.last_layers(image, identity.classes)

# %% [markdown]
# The negative products hold the class back, and backtracking does not look at them.
#
# ### Are the biases small?
#
# The paper assumes it. We measure the share of $|b_k|$ in the absolute values of all terms of
# $x_k$, on test images drawn at random. And we count how often the same class wins without the
# biases of the last layer, and without those of any dense layer.


# %%
@torch.no_grad()
def logits_without_biases(trace, every):
    *hidden, last = [layer.module.weight for layer in trace.network.dense]
    activations = trace.maps.flatten(1) if every else trace.dense[-1]
    for weight in hidden if every else []:
        activations = (activations @ weight.T).relu()
    return activations @ last.T


def bias_table(trace):
    products, bias = logit_terms(trace)
    size = products.abs().sum(1) + bias.abs()
    x, terms = trace.logits.double(), torch.cat([products, bias[:, None]], 1).double()
    powers = (x - x.amax(1, keepdim=True)).exp()
    columns = {
        "logit": trace.logits.amax(1),
        "bias": bias,
        "share": bias.abs() / size.clamp_min(1e-30),
        "same_without_last": logits_without_biases(trace, False).argmax(1) == trace.predicted,
        "same_without_all": logits_without_biases(trace, True).argmax(1) == trace.predicted,
        "sum_gap": (terms.sum(1) - x.amax(1)).abs() / terms.abs().sum(1).clamp_min(1e-30),
        "softmax_gap": (powers / powers.sum(1, keepdim=True) - trace.probabilities).abs().amax(1),
    }
    return pd.DataFrame({name: values.numpy() for name, values in columns.items()})


def rate(answers):
    low, high = proportion_interval(int(answers.sum()), len(answers))
    return f"{answers.mean():.1%} ({low:.1%} to {high:.1%})"


biases = {
    task: bias_table(record(run.model, run.tensor(chapter.sample_rows(run, 400, seed))))
    for task, run in runs.items()
}
lines = [
    f"For {TASK_NAMES[task]} the bias makes up {table['share'].mean():.2%} of the terms. Without the"
    f" last layer's biases {rate(table['same_without_last'])} of the answers stay, without any dense"
    f" bias {rate(table['same_without_all'])}."
    for task, table in biases.items()
]
small = all(
    t["share"].mean() < 0.05 and t["same_without_last"].mean() > 0.95 for t in biases.values()
)
lines.append(f"So the assumption {'holds' if small else 'does not hold'} here (95 % intervals).")
Markdown(" ".join(lines))

# %%
for task, table in biases.items():
    found = {
        f"e3.{task}.bias_share": estimate(table["share"]),
        f"e3.{task}.unchanged_without_bias": estimate(table["same_without_last"]),
        f"e3.{task}.unchanged_without_any_bias": estimate(table["same_without_all"]),
    }
    record_numbers(found)

# %% [markdown]
# ## Algorithm 1
#
# With $n$ hidden dense layers, their weights $W_1, \dots, W_n$, the output's $W_o$ and the class
# $k$:
#
# 1. run the network forward; this gives $k$ and $a_1, \dots, a_n$;
# 2. $L_\text{old} \leftarrow \{\, i : a_n[i] \, W_o[i][k] > 0 \,\}$;
# 3. for $j = n, \dots, 1$: $L \leftarrow \{\, r : a_j[r] \, W_j[r][i] > 0$ for some
#    $i \in L_\text{old} \,\}$, then $L_\text{old} \leftarrow L$.
#
# What remains after $j = 1$ are cells of the last pooled maps. Step 3 has a slip. $W_j$ leads from
# layer $j-1$ to layer $j$, so its rows $r$ belong to layer $j-1$. But $a_j[r]$ is the activation of
# another layer, of another length. We read it as $a_{j-1}[r] \, W_j[r][i] > 0$, where $a_0$ stands
# for the last maps, flattened. In loops:


# %% tags=["open"]
def algorithm_1(a, W, W_o, k):
    L_old = {i for i in range(len(W_o)) if a[-1][i] * W_o[i][k] > 0}
    for j in range(len(W), 0, -1):
        L = set()
        for i in L_old:
            L.update(np.flatnonzero(a[j - 1] * W[j - 1][:, i] > 0).tolist())
        L_old = L
    return L_old


weights = [layer.module.weight.detach().T.numpy() for layer in image.network.dense]
activations = [image.maps.flatten().numpy(), *(a[0].numpy() for a in image.dense)]
looped = algorithm_1(activations, weights[:-1], weights[-1], int(image.predicted))

# %%
packaged = set(backtrack(image, rule=Literal()).pixels.flatten().nonzero().flatten().tolist())
Markdown(
    f"In this image the loops find {len(looped):,} of the {int((image.maps > 0).sum()):,} active cells."
    f" `backtrack` of the package, which takes a whole batch, finds {len(packaged):,}:"
    f" {'the same cells' if looped == packaged else 'other cells'}."
)

# %% [markdown]
# ## What each rule keeps
#
# The published code adds a cutoff that the text does not mention. In the last step, from the first
# dense layer to the cells, a product has to exceed percentile {paper}`a1.both.code_percentile` of
# all products larger than {paper}`a1.both.code_floor` (`Cutoff()`). We follow every misclassified
# test image back from the class it was taken for. Units are neurons or cells; those with a positive
# activation are active. The figure has the share of the active units that each rule keeps.

# %%
kept = {
    task: averages(chapter.kept_table(part), ["rule", "layer"], "share")
    for task, part in followed.items()
}

# %% mystnb={"figure": {"name": "fig-kept", "caption": "Share of the active units that backtracking keeps in each layer, from the last hidden layer down to the cells of the last maps, mean over the misclassified test images of this run with 95 % bootstrap intervals. The two rules differ in the last step only."}, "image": {"alt": "One panel for each task: from left to right the layers from the last hidden one down to the cells, for each rule a dot with its interval."}}
chapter.layers_figure(kept, "share of active units kept") if random_class else None

# %% [markdown]
# In the last hidden layer the rule chooses: some products with the weights of one class are
# positive, others are not. One layer further down a neuron needs a single positive weight to *any*
# of the neurons chosen before. With dozens chosen, hardly any active neuron lacks one.
#
# ## Does it depend on the class?
#
# If the cells belong to the decision, another class should have other cells. We walk back from
# three classes on the same recorded pass: the predicted one, the true one, and another at random.
# The overlap (Jaccard) is the number of elements in both sets, divided by the number in either.
#
# As a control we take a method that does depend on the class. Above the last maps the network is
# piecewise linear, so a cell's exact share in a logit is its activation times the logit's gradient.
# *contribution* takes the cells with the largest share, the same number as the cutoff keeps.

# %%
overlaps = {
    task: averages(table, ["rule", "layer", "against"], "overlap")
    for task, table in by_error.items()
}
# above the cells both rules are the same
once = {
    task: table.query("layer == 'pixels' or rule == 'literal'") for task, table in overlaps.items()
}
summary, elsewhere = chapter.layer_summary(once)
Markdown(elsewhere) if elsewhere else None

# %%
summary if len(summary) else None

# %% mystnb={"figure": {"name": "fig-class-overlap", "caption": "Overlap (Jaccard) of what is kept for the predicted class with what is kept for the true class (circles) and for a random other class (squares), by layer, mean over the misclassified test images of this run with 95 % bootstrap intervals. One means that the result does not depend on the class. Green: a control that takes the cells with the largest exact share in the logit."}, "image": {"alt": "One panel for each task: from left to right the layers from the last hidden one down to the cells, for each rule dots with their intervals. The green control is at the cells only."}}
chapter.layers_figure(overlaps, "overlap with the predicted class's set") if random_class else None

# %%
for task, table in by_error.items():
    of_pixels = table[table["layer"] == "pixels"].groupby(["rule", "against"])["overlap"]
    found = {
        f"a1.{task}.jaccard_{rule}{'_true' if against == 'true' else ''}": estimate(overlap)
        for (rule, against), overlap in of_pixels
    }
    record_numbers(found)

# %% [markdown]
# Try it yourself: backtrack from one class after the other, by each rule. Frames mark the cells
# that the rule finds.

# %%
repair_bench(runs[study.tasks[-1]])

# %% [markdown]
# By what does the cutoff choose, if not by the class? A product is large where the activation is
# large. So we take the cells with the largest activations, the same number as the cutoff keeps.

# %%
lines, shares = [], []
for task, part in followed.items():
    pixels, maps = part.pixels("cutoff"), part.trace.maps
    counts = pixels.flatten(1).sum(1)
    both = (pixels & top_pixels(maps, counts)).flatten(1).sum(1).double()
    found = pd.Series((both / counts).numpy())
    expected = (counts / (maps > 0).flatten(1).sum(1).double()).nanmean()
    record_numbers({f"a1.{task}.cutoff_in_largest": estimate(found)})
    if found.notna().any():
        shares.append(found.mean())
        lines.append(
            f"For {TASK_NAMES[task]} {found.mean():.1%} of the cutoff's cells are among them; of random"
            f" active cells {expected:.1%} would be."
        )
if shares and min(shares) > 0.8:
    lines.append("So the cutoff keeps little else than the largest activations.")
Markdown(" ".join(lines)) if lines else None

# %% [markdown]
# ## The maps without the cells

# %%
facts = chapter.shown(biases, followed)
Markdown(f"What does each rule leave of them? For {facts['F7']}.") if random_class else None

# %% mystnb={"figure": {"name": "fig-maps-without-pixels", "caption": "Misclassified images, their last feature maps, and the same maps with the backtracked cells missing (red), for the literal rule and the published cutoff (the paper's Figure 7). Ink is activation, each map to its own maximum; light gray is zero."}, "image": {"alt": "Each row has a face and three sheets of small maps: whole, without the cells of the literal rule, and without those of the cutoff, which are red."}}
chapter.maps_without_pixels(
    [(run, followed[task]) for task, run in runs.items()]
) if random_class else None

# %% [markdown]
# ## How many cells?
#
# The paper finds {paper}`b1.subject.pixels` cells on average for identity and
# {paper}`b1.emotion.pixels` for emotion, of {paper}`t1.both.last_pixels`. Networks for images of
# other sizes have other numbers of cells, so compare the shares.

# %%
numbers, rows, beside = {}, [], {}
for task, part in followed.items():
    key, name, maps = f"b1.{task}", TASK_NAMES[task], part.trace.maps
    total, active = maps.shape[1:].numel(), estimate((maps > 0).flatten(1).sum(1))
    numbers |= {f"{key}.active": active, f"{key}.total": total}
    if f"{key}.pixels" in paper.load().numbers:
        printed = paper.quantity(f"{key}.pixels")
        share = printed.value / paper.number("t1.both.last_pixels")
        rows.append((name, "paper", printed.text, "—", f"{share:.3f}", "—"))
        beside[name] = [share]
    for rule in RULES:
        counts = pixel_counts(part, rule)
        mean = estimate(counts).value
        share, of_active = mean / total, mean / active.value
        numbers |= {
            f"{key}.pixels_{rule}": estimate(counts),
            f"{key}.share_{rule}": estimate(counts / total),
            f"{key}.active_share_{rule}": of_active,
            f"{key}.digest_{rule}": digest(part.pixels(rule)),
        }
        interval = paper.show_interval(bootstrap_interval(counts), "mean")
        shares = paper.show(share, "share"), paper.show(of_active, "share")
        rows.append((name, rule, paper.show(mean, "mean"), interval, *shares))
        beside.get(name, []).append(share)
columns = ["task", "by", "mean cells", "95 % interval", "of all cells", "of active cells"]
pd.DataFrame(rows, columns=columns).set_index(["task", "by"])

# %%
apart = chapter.more_pixels(followed)
record_numbers(numbers | {f"b1.both.pixels_{rule}_difference": n for rule, n in apart.items()})
known = {name: shares for name, shares in beside.items() if min(shares) > 0}
lines = []
if known and all(theirs < literal for theirs, literal, _ in known.values()):
    said = " and ".join(f"{shares[0]:.1%} for {name}" for name, shares in known.items())
    here = " and ".join(f"{shares[1]:.1%}" for shares in known.values())
    lines.append(
        "Which rule did the paper count by? The literal rule finds (nearly) every active cell. If the"
        f" paper's counts were of that rule, only about {said} of its cells would be active. Here it"
        f" finds {here} of all cells."
    )
if lines and all(abs(np.log(c / p)) < abs(np.log(li / p)) for p, li, c in known.values()):
    here = " and ".join(f"{shares[2]:.1%}" for shares in known.values())
    lines.append(
        f"The cutoff finds {here}, which is nearer to the paper's shares, and it is what the published"
        " code runs. So the paper's counts can be those of the cutoff, and hardly those of the"
        " algorithm as printed."
    )
if lines and apart:
    more = {rule: "more" if n.value > 0 else "fewer" for rule, n in apart.items()}
    lines.append(
        "For identity the paper finds more cells than for emotion, the cutoff here finds"
        f" {more['cutoff']}, and the literal rule {more['literal']}."
    )
Markdown(" ".join(lines)) if lines else None

# %% [markdown]
# ## What may be concluded, and what may not
#
# Claims about networks are judged over several networks, which differ in their seed, by a rule
# written before they were trained. Their p values are corrected for all tests of this book, the
# intervals are not. *Shown* means that nothing is tested: the line says what this run has.

# %%
conclude(study, "E3", "A1", "B1", **facts)

# %% [markdown]
# - Cells that come out for every class do not explain *this* error. How many are found depends on
#   how many are active (literal rule) or on how products are distributed (cutoff). It does not say
#   on how many cells a decision rests.
# - The cutoff comes last. It cannot bring back what the earlier steps have lost of the class.
# - {doc}`16_blindness` says why Algorithm 1 is blind to the class, and what happens in networks of
#   other depths, widths or sparsity. {doc}`07_subject_40` and {doc}`08_eight_emotions` suppress the
#   cells and ask the network again.
#
# ## Exercises
#
# 1. Lower and raise the percentile of `Cutoff`. How many cells are left in the errors of the first
#    task, and does the class matter for them?

# %% tags=["hide-cell"]
part = followed[study.tasks[0]]


def outcome(rule):
    """Return the mean number of cells, and their overlap with those for a random class."""
    cells, others = (
        backtrack(part.trace, part.targets[of], rule).pixels for of in ("predicted", "random")
    )
    mean = cells.flatten(1).sum(1).double().mean()
    return {
        "mean cells": f"{mean:.1f}",
        "overlap": f"{chapter.jaccard(cells, others).nanmean():.3f}",
    }


pd.DataFrame({f"percentile {p}": outcome(Cutoff(percentile=p)) for p in (50, 90, 99)})

# %% [markdown]
# 2. Let each hidden layer keep its strongest neurons only: `Strongest(most=1)`, then 4, then 16.
#    From how many on does the result of Algorithm 1 no longer depend on the class?

# %% tags=["hide-cell"]
pd.DataFrame({f"strongest {m}": outcome(Strongest(most=m)) for m in (1, 4, 16)})
