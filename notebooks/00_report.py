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
# # Report on one page
#
# Does the paper hold? This page answers as a report to the ML Reproducibility Challenge. Its
# numbers come from the records of this project: means over networks, with 95 % intervals.

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from tinyvgg import paper
from tinyvgg.chapters import causes, sanity
from tinyvgg.chapters.patching import EIGHT
from tinyvgg.chapters.statistics import mean_interval, networks_of, trial_records
from tinyvgg.chapters.verdicts import VERDICTS, judge
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, networks=networks)
measured, records = networks_of(study), trial_records(profile, study.faces.fingerprint)
verdicts = judge(measured)
counted = {name: [v.claim for v in verdicts.values() if v.verdict == name] for name in VERDICTS}


def mean(values, unit="percent"):
    """Print the mean of some networks with its interval."""
    values = np.asarray(values, float)
    found, (low, high) = values.mean(), mean_interval(values)
    said = paper.show(found, unit)
    return f"{said} ({paper.show_interval((low, high), unit)})" if low < high else said


def known(key, unit="percent"):
    """Print what was recorded of all networks under a key, if anything was."""
    values = measured.values(key)[0]
    return mean(values, unit) if len(values) else paper.NOTHING


def versus(key):
    """Print by how much one share is above another, on average over networks."""
    values = measured.values(key)[0]
    more = not len(values) or values.mean() >= 0
    said = mean(values if more else -values) if len(values) else paper.NOTHING
    return f"{said.replace('%', '')} percentage points {'more' if more else 'fewer'}"


def rows_of(name, task=None):
    """Return what a trial recorded of each network, nothing where it was not run."""
    rows = records.get(name, {"networks": []})["networks"]
    return [row for row in rows if task in (None, row["task"])]


# %% [markdown]
# ## Scope of reproducibility
#
# {cite:t}`fang2017` explains a wrong answer of a convolutional network in two steps. Backtracking
# (Algorithm 1) walks from the class that won down to the elements of the last feature maps that fed
# it. The paper calls these elements pixels; here they are *cells*. Feature tracking (Algorithm 2)
# shows them in the image. From two case studies the paper concludes that these cells decide the
# answer. It shows two networks and a few images, and no controls. We test what it claims about
# networks, claim by claim ({doc}`/claims`). The rule of each verdict was written before the
# networks that it judges were trained.
#
# ## Methodology
#
# We wrote everything anew in PyTorch: from the text and, where that is silent, from the published
# code. The photographs need a licence, so we render faces with the same design. Each claim is
# tested on several networks, which differ in their seed. The cells that a rule finds are compared
# with as many random ones, those of the largest activations, and those that contribute most.
#
# ## Results

# %%
judged = sum(map(len, counted.values()))
tally = ", ".join(f"{len(ids)} {name}" for name, ids in counted.items() if ids)
said = [f"**What came out.** Of {judged} claims: {tally}."]
if paper.NOTHING not in (same := [known(f"a1.{t}.jaccard_literal", "share") for t in study.tasks]):
    said.append(
        "Asked about another class, Algorithm 1 returns cells whose overlap with the first ones is"
        f" {' and '.join(same)} (identity, emotion; 1 means the same cells)."
    )
if "emotion" in study.tasks:
    said.append(
        "Set to zero, the cells found in an emotion error but not in its look-alike (the most"
        f" similar right image) repair {versus('s4.emotion.unique_above_common')} of the errors"
        f" than the cells found in both, and {versus('s4.emotion.unique_above_excess')} than as"
        " many cells that exceed the look-alike most, which needs no backtracking."
    )
display(Markdown("> " + " ".join(said)))
rows = {}
for claim in filter(lambda claim: claim.tests, paper.claims()):
    test, result = verdicts[claim.id].parts[0]
    outcome = f"{result.agreeing} of {result.networks} networks" if result.networks else ""
    if test.within and result.networks:
        range_of = paper.show_interval((result.low, result.high), "count")
        outcome = f"paper {paper.quantity(test.number).text}, networks {range_of}"
    rows[claim.title] = {"verdict": verdicts[claim.id].verdict, "first test": test.says}
    rows[claim.title]["it is so in"] = outcome or paper.NOTHING
pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim")

# %% [markdown]
# Numbers of the paper are compared with the range of 95 % of networks. Effects, intervals and
# further tests are on the {doc}`page of claims </claims>`.
#
# ## What was easy
#
# The network is small, and the paper's tables describe all of it. The two algorithms take a page
# each. The training recipe is common, and a desktop computer is enough.
#
# ## What was difficult
#
# The photographs may not be passed on. Text, tables and code contradict each other in places that
# matter: the code leaves out weak cells, which the printed algorithm keeps, and projects features
# in a way that the text does not describe ({doc}`/disagreements`). One network is not enough: with
# another seed, or on another machine, it misclassifies other images.
#
# ## What we learned that the paper could not know

# %%
learned = []
if rows := rows_of("blindness"):
    selected, cells = (
        np.mean([float(r[k].split()[-1]) for r in rows]) for k in ("neurons", "active")
    )
    learned.append(
        "**Why backtracking is blind to the class**. It loses a cell only if all selected neurons"
        f" above have a weight of the wrong sign. For {cells:.0f} active cells"
        f" {np.log2(cells):.0f} neurons make that unlikely; {selected:.0f} are selected."
    )
if rows := rows_of("patching"):
    share = {t: mean([r["filled"].split()[0] for r in rows_of("patching", t)]) for t in study.tasks}
    said = " and ".join(f"{each} for {paper.TASK_NAMES[t]}" for t, each in share.items())
    learned.append(
        f"**How few cells matter**. If {EIGHT} cells take the look-alike's values, this share of"
        f" the errors becomes right: {said}."
    )
if len(rows := rows_of("causes")) > 1:
    names = ("published cutoff", "whole projection", "edges", "contributions")
    half = [f"{causes.over(rows, 'half', name).centre:.2f} ({name})" for name in names]
    learned.append(
        "**Which half of the face was the cause**. Faces were rendered again with one half"
        f" changed. Methods find the half that flips the answer with an AUC of {', '.join(half)};"
        " chance is 0.5."
    )
if rows_of("sanity"):
    blind = sanity.blind(records["sanity"])
    both = [sanity.label(name) for name, to in blind.items() if len(to) == 2]
    learned.append(
        f"**What ignores the dense layers**. {len(both)} of {len(blind)} methods explain the same"
        " when the dense layers get initial weights, and when they are asked about another class:"
        f" {'; '.join(both)}."
    )
Markdown("\n".join(f"- {each}" for each in learned)) if learned else None

# %% [markdown]
# {doc}`15_causes` to {doc}`18_sanity_checks` have these in full, {doc}`09_repairs` has the fewest
# cells that undo an error, and {doc}`19_what_did_not_work` has what we tried in vain.
#
# ## What it cost

# %%
seeds = max(1, len(set(measured.rows["seed"][measured.rows["runs"].notna()])))
runs = [study.run(task) for task in study.tasks]
cost = {
    "both networks, by seed": {
        "networks": seeds * len(runs),
        "hours": seeds * sum(run.manifest["seconds"] for run in runs) / 3600,
        "device": ", ".join(sorted({run.manifest["device"] for run in runs})),
    }
}
for name, record in records.items():
    hours, devices = record["seconds"] / 3600, ", ".join(record["device"])
    cost[name] = {"networks": len(record["networks"]), "hours": hours, "device": devices}
cost["all"] = {"networks": "", "hours": sum(row["hours"] for row in cost.values()), "device": ""}
table = pd.DataFrame.from_dict(cost, orient="index").round(2).rename_axis("record")
table if table["device"].nunique() > 2 else table.drop(columns="device")

# %% [markdown]
# Hours are those of one core. Those of the networks by seed are an estimate: the training of this
# page's two networks, without notebooks, times the number of seeds. P2 to P4 and W1 trained
# networks of their own. All other records analyse the networks by seed.
#
# ## Communication with the author
#
# There was none. {doc}`/disagreements` has what we would ask.
