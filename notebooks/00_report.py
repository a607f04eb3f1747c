# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Report on one page
#
# Does the paper hold? This page has the form of a report to the ML Reproducibility Challenge. Its
# numbers are means over networks, with 95 % intervals, from the records of this project.

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
from tinyvgg.chapters import causes, paper_size, sanity
from tinyvgg.chapters.patching import EIGHT
from tinyvgg.chapters.statistics import mean_interval, networks_of, trial_records
from tinyvgg.chapters.verdicts import NOT_TESTABLE, SUPPORTED, VERDICTS, judge
from tinyvgg.faces.sources import SYNTHETIC
from tinyvgg.training.experiments import open_study

EXPLAINS = ("A1", "A2", "F8", "S3", "T3", "S4")  # claims that backtracking finds what decides
SAME = "a1.{}.jaccard_literal"
CAVEAT = """All verdicts hold for the synthetic faces. Three say little beyond them. The faces were made
about as hard as the paper's, so *test accuracy* had to agree, and *error rate over the epochs* with
it. The renderer decides which emotions look alike, so *errors of emotion* need not agree."""
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


def versus(key, side=1):
    """Print how many more errors cells repair than others, or with `side` -1 these than they."""
    result = next(r for v in verdicts.values() for r in v.results if r.number == key)
    sign = side if side * result.mean >= 0 else -side
    low, high = sorted(100 * sign * bound for bound in (result.low, result.high))
    more = "more" if sign == side else "fewer"
    said = f"{100 * abs(result.mean):.0f} percentage points {more} errors"
    return f"{said} ({low:.0f} to {high:.0f})"


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
# answer. It has one network for each task, two case studies, and no controls. We test what it claims about
# networks, claim by claim ({doc}`/claims`). We wrote the tests and bounds of each verdict before
# we trained the networks that it judges.
#
# ## Methodology
#
# We wrote everything anew in PyTorch, from the text. Where that is silent, we made choices of our
# own ({doc}`/disagreements`). The photographs need a licence, so we render faces with the same design. Each
# claim is tested on several networks, which differ in their seed. The cells that a rule finds are
# compared with as many at random, of largest activations, and of those that contribute most.
#
# ## Results

# %%
judged = sum(map(len, counted.values()))
tally = ", ".join(f"{len(ids)} {name}" for name, ids in counted.items() if ids)
said, stands = [], [claim for claim in EXPLAINS if verdicts[claim].verdict == SUPPORTED]
if any(verdicts[claim].verdict != NOT_TESTABLE for claim in EXPLAINS):
    many = f"{len(stands) or 'None'} of the {len(EXPLAINS)} claims"
    verb = "is" if len(stands) < 2 else "are"
    said.append(f"{many} that backtracking finds what decides {verb} supported.")
said.append(f"Of all {judged} claims: {tally}.")
same = [values for t in study.tasks if len(values := measured.values(SAME.format(t))[0])]
if same and min(map(min, same)) == 1:
    said.append("Algorithm 1 returns the same cells for every class, in every network.")
if verdicts["S4"].verdict != NOT_TESTABLE:
    said.append(
        "In emotion errors, the cells found in the error and not in its look-alike (the most"
        f" similar right image), set to zero, repair {versus('s4.emotion.unique_above_common')}"
        " than the cells found in both. The same number of cells that exceed the look-alike most,"
        " for which nobody needs backtracking, repair"
        f" {versus('s4.emotion.unique_above_excess', -1)} than"
        " those found in the error alone."
    )
display(Markdown("> **What came out.** " + " ".join(said)))
rows = {}
for claim in (claim for claim in paper.claims() if claim.tests):
    verdict = verdicts[claim.id].verdict
    decides = [part for part in verdicts[claim.id].parts if part[1].verdict == verdict]
    if verdict != NOT_TESTABLE:
        test, result = decides[0]
        outcome = f"holds in {result.agreeing} of {result.networks} networks"
        if test.within:
            range_of = paper.show_interval(result.whole, "count")
            outcome = f"paper {paper.quantity(test.number).text}, networks {range_of}"
        rows[claim.title] = {"verdict": verdict, "by the test": test.says, "result": outcome}
display(pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim")) if rows else None
if left := [paper.claim(claim).title for claim in counted[NOT_TESTABLE]]:
    display(Markdown(f"Not testable here: {'; '.join(left)}."))
if study.faces.kind == SYNTHETIC:
    display(Markdown(CAVEAT))

# %% [markdown]
# The table shows the test that decided, or the first of them. Numbers of the paper are compared
# with the range of 95 % of networks. Effects, intervals and further tests are on the {doc}`page of
# claims </claims>`. *Inconclusive*: the effect is too small, or the networks too few, once p values
# are corrected for all tests.
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
        "**Why backtracking is blind to the class**. It drops a cell only if its weights to all"
        f" selected neurons have the wrong sign. With {np.log2(cells):.0f} selected neurons about"
        f" one of {cells:.0f} active cells is dropped; our networks select {selected:.0f} on average."
    )
if rows := rows_of("patching"):
    share = {t: mean([r["filled"].split()[0] for r in rows_of("patching", t)]) for t in study.tasks}
    said = " and ".join(
        f"{each} of the errors of {paper.TASK_NAMES[t]}" for t, each in share.items()
    )
    learned.append(
        f"**How few cells matter**. {EIGHT} cells that take the look-alike's values, chosen with the"
        f" true class known, repair {said}."
    )
if len(rows := rows_of("causes")) > 1:
    names = ("published cutoff", "whole projection", "edges", "contributions")
    half = [f"{causes.over(rows, 'half', name).centre:.2f} ({name})" for name in names]
    wrong, images = (sum(row[key] for row in rows) for key in ("errors", "images"))
    learned.append(
        f"**Which half of the face was the cause**. We rendered {images:,} faces, {wrong:,} of them"
        " errors, again with one half changed. How well methods find the half that flips the answer,"
        f" as AUC: {', '.join(half)}; chance is 0.5."
    )
if rows_of("sanity"):
    blind = sanity.blind(records["sanity"])
    both = [sanity.label(name) for name, to in blind.items() if len(to) == 2]
    learned.append(
        f"**What ignores the dense layers**. {len(both)} of {len(blind)} methods give the same"
        f" explanation for another class, and with untrained dense layers: {', '.join(both)}."
    )
Markdown("\n".join(f"- {each}" for each in learned)) if learned else None

# %% [markdown]
# Chapters {doc}`15_causes` to {doc}`18_sanity_checks` show these in full, {doc}`09_repairs` the
# fewest cells that undo an error, {doc}`19_what_did_not_work` what we tried in vain.
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
    title = paper.claim(name).title if name in verdicts else f"record of {name}"
    cost[title] = {"networks": len(record["networks"]), "hours": hours, "device": devices}
if sized := paper_size.record() if study.faces.kind == SYNTHETIC else {}:
    hours, devices = sum(sized["seconds"].values()) / 3600, ", ".join({*sized["device"].values()})
    cost["the paper's size"] = {
        "networks": len(sized["seconds"]),
        "hours": hours,
        "device": devices,
    }
cost["all"] = {"networks": "", "hours": sum(row["hours"] for row in cost.values()), "device": ""}
table = pd.DataFrame.from_dict(cost, orient="index").round(2).rename_axis("record")
display(table if table["device"].nunique() > 2 else table.drop(columns="device"))
Markdown("No GPU was used." * (set(table["device"]) <= {"cpu", ""}))

# %% [markdown]
# Hours are those of one core. The first row is an estimate: the training time of two networks times
# the number of seeds. Claims with a row trained networks of their own. The other records analyse
# those of the first row; *sanity* trained one more, on shuffled labels.
#
# ## Communication with the author
#
# There was none. {doc}`/disagreements` has what we would ask.
