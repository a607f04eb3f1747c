# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
tasks = []
settings = {}
numbers = "numbers.json"

# %%
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import display
from matplotlib.figure import Figure

import tinyvgg
from tinyvgg import paper
from tinyvgg.chapters import backtracking, cases, feature_tracking, photographs, repairs, training
from tinyvgg.chapters import misclassifications as errors
from tinyvgg.chapters.data import contact_sheet
from tinyvgg.chapters.statistics import averages, between, bootstrap_interval
from tinyvgg.chapters.style import in_words
from tinyvgg.diagnosis import explain_errors
from tinyvgg.repairs import repair
from tinyvgg.training.experiments import open_study


def say(*sentences):
    for sentence in filter(None, sentences):
        display({"text/plain": sentence}, raw=True)


def heading(text):
    display({"text/markdown": f"## {text}"}, raw=True)


def figure(drawn, caption):
    if isinstance(drawn, Figure):
        display(drawn, metadata={"image/png": {"alt": caption, "caption": caption}})


def table(frame, caption, most=30):
    if len(frame):
        more = f" The first {most} of {len(frame):,}." if len(frame) > most else ""
        say(caption + more)
        display(frame.head(most))


def percent(share):
    return f"{100 * share:.1f} %"


def plain(frame):
    return json.loads(frame.reset_index().to_json(orient="records"))


# %%
study = open_study(profile, faces, seed, progress=False, settings=settings)
if study.faces.originals is not None:
    say(study.faces.originals.listing.reading)
    say(photographs.left_out_of(study.faces), photographs.twins_of(study.faces))

# %% [markdown]
# A report asks what a network that learns from these images gets wrong, which cells of its last
# feature maps led it there, what they show, and what the network answers without them. A cell is an
# element of these maps. First comes what may be concluded; numbers, tables and pictures follow.

# %%
runs = {task: study.run(task) for task in tasks or study.tasks}
names = {task: paper.TASK_NAMES[task] for task in runs}
MOST = max(24, 300 * 64**2 // study.faces.images.shape[1] ** 2)


def limited(run, most):
    """Return the run with fewer errors, drawn at random, and all of its right images."""
    if len(run.errors) <= most:
        return run
    dropped = np.random.default_rng(seed).permutation(run.errors)[most:]
    kept = np.setdiff1d(np.arange(len(run.labels)), dropped)
    split = replace(run.split, test=run.split.test[kept])
    return run.having(split=split, logits=run.logits[kept])


explained = {task: run for task, run in runs.items() if training.worth_explaining(run)}
fewer = {task: limited(run, MOST) for task, run in explained.items()}
followed = {task: backtracking.follow_errors(run, seed) for task, run in fewer.items()}
pairs = {task: cases.record_pairs(run, cases.find_cases(run)) for task, run in fewer.items()}
found = {task: repair(pairs[task].wrong, pairs[task].labels) for task in pairs}
summaries = {
    task: {
        name: cases.summarise(cases.suppression_table(pairs[task], rule, seed=seed))
        for name, rule in cases.RULES.items()
    }
    for task in pairs
    if len(pairs[task])
}
tracked = {
    task: feature_tracking.track(run, followed[task], seed)
    for task, run in fewer.items()
    if len(run.errors)
}
features = {task: feature_tracking.tracked_table(each) for task, each in tracked.items()}


def batches(run, order):
    for places in np.array_split(order, -(-len(order) // 64)):
        yield run.tensor(run.split.test[places]), torch.from_numpy(run.labels[places])


decided, slices, rows = {}, {}, {}
for task, run in explained.items():
    order = np.random.default_rng(seed).permutation(len(run.labels))  # a fair sample comes first
    loader, rows[task] = batches(run, order), run.split.test[order]
    decided[task] = explain_errors(run.model, loader, run.classes, most=MOST, progress=False)
    columns = run.faces.index.table.iloc[rows[task]].drop(columns=["twins", task], errors="ignore")
    known = [name for name in columns if 1 < columns[name].nunique() <= len(columns) / 2]
    slices[task] = decided[task].slices(columns[known])
overlaps = {
    task: averages(
        backtracking.overlap_table(followed[task]), ["rule", "layer", "against"], "overlap"
    )
    for task in tracked
}


# %%
def training_sentences(run):
    low, high = training.accuracy_interval(run)
    yield (
        f"The network classifies the {names[run.task]} correctly in {percent(run.accuracy)} of"
        f" {len(run.labels):,} test images (95 % interval {percent(low)} to {percent(high)}); the"
        " same answer for all of them would be right in"
        f" {percent(training.majority(run.labels))} at best. Its training ended {run.ended}."
    )
    yield training.with_twins(run)
    yield training.grade(run)
    if run.task not in explained:
        return
    difference, (low, high) = training.gap(run, training.train_errors(run))
    yield (
        f"Its error rate on test images minus that on training images is {100 * difference:+.1f}"
        f" points (95 % interval {100 * low:+.1f} to {100 * high:+.1f}):"
        f" {'it has overfitted' if low > 0 else 'overfitting does not show'}."
    )


def error_sentences(run):
    count = len(run.errors)
    if not count:
        yield f"The network makes no error on its {len(run.labels):,} test images."
        return
    if run.task not in explained:
        return
    chance = errors.by_chance(run, run.task)
    if chance is not None and chance.p_value < 0.05:
        worst = errors.missed(run).sort_values("rate", ascending=False, kind="stable").iloc[0]
        low, high = map(percent, worst[["low", "high"]])
        bounds = f" (95 % interval {low} to {high})" if worst["images"] > 1 else ""
        yield (
            f"Errors fall on the classes more unevenly than chance would have it (p"
            f" {errors.show_p(chance)}). Missed most is {worst.name}: {percent(worst['rate'])} of its"
            f" {in_words(worst['images'], 'test image')}{bounds}, most often taken for"
            f" {worst['taken_for']}."
        )
    elif chance is not None:
        yield f"Errors fall on the classes as evenly as by chance (p {errors.show_p(chance)})."
    if count < 10:
        yield f"Errors: {count}. What is found in so few holds for hardly any others."


def backtracking_sentences(task):
    for rule, name in (("literal", "as printed"), ("cutoff", "with the published cutoff")):
        kept = backtracking.pixel_counts(followed[task], rule)
        table = overlaps[task].reset_index()
        match = (table["rule"] == rule) & (table["against"] == "random")
        part = table[match & (table["layer"] == "pixels")]
        if not kept.any():
            yield f"Algorithm 1 {name} keeps no cell of {in_words(len(kept), 'error')}."
        elif len(part):
            mean, low, high = part[["mean", "low", "high"]].iloc[0]
            blind = " They hardly depend on the class, and cannot explain this one answer."
            yield (
                f"Algorithm 1 {name} keeps {kept.mean():,.1f} cells of an error. They overlap with"
                " those that it finds from another class by"
                f" {mean:.2f}{between(low, high)}.{blind if low >= 0.99 else ''}"
            )


def feature_sentences(task):
    alike = features[task].query("set == 'cutoff'")["with_random"].dropna().to_numpy(float)
    if len(alike):
        low, high = bootstrap_interval(alike)
        yield (
            "The tracked features of an error (cutoff) correlate by"
            f" {alike.mean():.2f}{between(low, high)} with those of as many active cells at"
            " random. The nearer that is to 1, the less a picture of them shows about this error."
        )


def repair_sentences(task):
    if task not in summaries:
        return
    unique, random = (summaries[task]["cutoff"].loc[name] for name in ("unique", "random"))
    low, high = 100 * unique["difference_low"], 100 * unique["difference_high"]
    if unique["pixels"]:
        more = (
            "more than" if low > 0 else "less than" if high < 0 else "not significantly more than"
        )
        yield (
            f"Without the cells unique to it (cutoff) {percent(unique['rate'])} of"
            f" {unique['cases']:,.0f} errors are repaired, without as many random ones"
            f" {percent(random['rate'])}: {more} chance, by {100 * unique['difference']:+.1f} points"
            f"{between(low, high, '+.1f')}."
        )
    fixed = found[task].repaired
    if not fixed.any():
        yield f"None of {len(pairs[task]):,} errors was repaired by any set of cells tried."
        return
    median = float(np.median(found[task].size[fixed].numpy()))
    active = float((pairs[task].wrong.maps > 0).flatten(1).sum(1).double().mean())
    yield (
        f"The fewest cells found repair {int(fixed.sum()):,} of {len(pairs[task]):,} errors. Half"
        f" of these sets have {median:g} or fewer, of {active:,.0f} active cells. So the images"
        " lie near a border between two classes. What in the world put them there is another"
        " question."
    )


sentences = {
    task: [
        *training_sentences(run),
        *error_sentences(run),
        *(backtracking_sentences(task) if task in tracked else ()),
        *(feature_sentences(task) if task in tracked else ()),
        *(repair_sentences(task) if task in tracked else ()),
    ]
    for task, run in runs.items()
}
cautions = [
    "Persons or sessions are in one part each: the test is about others than those learned from."
    if study.faces.index.has("together")
    else "Images of a person may be in both parts: the test is not about strangers."
    if study.faces.index.has("subject")
    else "The set does not list what its images have in common. If the same person, place or camera"
    " is in both parts, the network may go by that, and do worse elsewhere.",
    "Intervals cover the choice of test images only. Another seed gives another network: run the"
    " report with another seed before you build on a number.",
    "What is found about cells holds for this network. It has never seen maps with cells set to"
    " zero, and a repair without them does not show a cause in the world.",
][: 3 if explained else 2]

# %% [markdown]
# ## What may be concluded, and what may not

# %%
for task in runs:
    if len(runs) > 1:
        say(f"Of the network for {names[task]}:")
    say(*sentences[task])
say(*cautions)

# %%
if decided:
    heading("Is it the labels, the slices or the model?")
for task, wrong in decided.items():
    say(*wrong.conclusions(slices[task]))
    figure(
        wrong.show(wrong.families()["prototype"][:12]),
        "One error of each of the largest families, and what the cells of its repair show.",
    )
    suspects = wrong.table[wrong.table["suspect"]].sort_values("margin")
    paths = study.faces.index.table.get("path")
    if paths is not None:
        suspects.index = paths.iloc[rows[task][suspects.index]]
    table(suspects[["true", "predicted", "margin"]], "Errors whose labels may be wrong.", 12)
    table(slices[task].set_index("column"), "Slices, the most surprising first.", 12)

# %% [markdown]
# ## The set

# %%
size = study.faces.images.shape[1]
say(f"The set has {len(study.faces):,} images; the network sees them at {size} × {size} pixels.")
counts = {}
for task in runs:
    labels, parts = study.faces.index.labels(task), study.split(task)
    classes = study.faces.index.classes(task)
    counts[task] = pd.DataFrame(
        {
            "images": np.bincount(labels, minlength=len(classes)),
            "training": np.bincount(labels[parts.train], minlength=len(classes)),
            "test": np.bincount(labels[parts.test], minlength=len(classes)),
        },
        index=pd.Index(classes, name=names[task]),
    )
    table(counts[task], "Images of each class, and how many train and test the network.")
figure(contact_sheet(study.faces, task), "Images of the set as the network sees them, by class.")
if study.faces.originals is not None:
    say(study.faces.originals.cropping.about)
    left_out = study.faces.left_out[["path", "reason"]]
    table(left_out.set_index("path"), f"Images that were left out, {len(left_out):,} together.")

# %% [markdown]
# ## Training

# %%
figure(
    training.error_rates(list(runs.values())),
    "Error rate over the epochs, on training and on test images, with 95 % intervals. Dotted: the"
    " same answer for every image.",
)
wrong = [training.train_errors(run) for run in runs.values()]
table(training.gap_table(list(runs.values()), wrong), "Error rates of the final weights.")

# %% [markdown]
# ## Errors

# %%
for run in runs.values():
    if len(run.errors):
        figure(
            errors.confusion_figure(run),
            "Confusion matrix: true class by row, class it was taken for by column. Errors are red.",
        )
        table(
            errors.missed_table(run, len(run.classes)),
            "Classes by the share of their test images missed.",
        )
        figure(
            errors.gallery(run, 36),
            "Misclassified images, the surest first, with the probabilities of the likeliest"
            " classes (red: the answer, green: the truth).",
        )

# %%
if tracked:
    heading("Backtracking")
    say(
        "Each error is followed back from the class that it was taken for, down the dense layers to"
        " the cells. Two rules do that: Algorithm 1 as the paper prints it (literal), and with the"
        " cutoff of its published code.",
    )
for task in tracked:
    if len(runs[task].errors) > MOST:
        say(f"{MOST} of {len(runs[task].errors):,} errors are drawn at random, here and below.")
    figure(
        backtracking.maps_without_pixels([(fewer[task], followed[task])]),
        "Two errors: the image, its last maps, and the maps without the cells of each rule.",
    )
if tracked:
    figure(
        backtracking.layers_figure(overlaps, "overlap with the predicted class's set"),
        "Overlap (intersection over union) of what is kept for the predicted class with what is"
        " kept for the true class and for a random one, by layer. One: the same cells. The"
        " control, contribution, takes the cells with the largest exact share in the logit.",
    )
    summary, left_out = backtracking.layer_summary(overlaps)
    table(summary, f"The same in numbers. {left_out}")
    heading("Tracked features")
for task in tracked:
    nearest = sorted(pairs[task].cases, key=lambda case: case.distance)[:8]
    figure(
        feature_tracking.beside_lookalikes(
            fewer[task], pairs[task].only(nearest), cases.RULES["cutoff"]
        ),
        "The errors nearest to their right look-alikes, what the backtracked cells (cutoff) of"
        " either show, and what the cells that are unique to the error show.",
    )
    figure(
        feature_tracking.gallery(tracked[task], "cutoff", size=64),
        "Errors, each with its tracked features (cutoff) at its right.",
    )
if tracked:
    table(feature_tracking.tracked_summary(features), "Tracked features of each set of cells.")

# %%
SETS = ("all", "unique", "random", "common", "largest", "contrastive", "repair")
if summaries:
    heading("Repairs")
    say(
        "Some cells of the last maps are set to zero, and the network is asked again. Unique cells"
        " are backtracked in the error and not in its look-alike, common ones in both. Controls have"
        " as many cells: active ones at random, those of largest activation, and those with the"
        " largest share in the wrong logit minus the true one (contrastive). The repair set is the"
        " fewest cells found.",
    )
for task, by_rule in summaries.items():
    figure(
        cases.rates_figure(by_rule, SETS, "repaired"),
        "Share of the errors repaired without each set of cells, with Wilson's 95 % intervals.",
    )
    figure(
        repairs.examples_figure(fewer[task], pairs[task], found[task]),
        "The errors with the smallest repairs: the image, what these cells show, the look-alike.",
    )


# %%
def task_numbers(task, run):
    low, high = training.accuracy_interval(run)
    tested = errors.tested(run)
    columns = [name for name in ("path", "row", "true", "taken_for") if name in tested]
    both = summaries.get(task, {})
    return {
        "run": run.folder.name,
        "weights_sha256": run.manifest["sha256"]["weights.safetensors"],
        "conclusions": sentences[task],
        "explained": task in explained,
        "training": {
            "accuracy": run.accuracy,
            "accuracy_interval": [low, high],
            "constant_answer": training.majority(run.labels),
            "learned": bool(training.learned(run)),
            "training_images": len(run.split.train),
            "test_images": len(run.labels),
            "history": plain(run.history),
        },
        "errors": {
            "errors": len(run.errors),
            "classes": plain(errors.missed(run)),
            "images": plain(tested.loc[tested["wrong"], columns]),
        },
        "backtracking": {"overlap": plain(overlaps[task].drop(columns="text"))}
        if task in overlaps
        else {},
        "tracked_features": plain(features[task]) if task in features else [],
        "repairs": {
            "pairs": len(pairs.get(task, ())),
            "sets": {rule: plain(summary) for rule, summary in both.items()},
            "sizes": found[task].size[found[task].repaired].tolist() if task in found else [],
        },
    }


content = {
    "kind": "tinyvgg report",
    "tinyvgg": tinyvgg.__version__,
    "profile": profile,
    "seed": seed,
    "faces": study.faces.kind,
    "fingerprint": study.faces.fingerprint,
    "set": {
        "images": len(study.faces),
        "classes": {task: plain(each) for task, each in counts.items()},
        "left_out": [] if study.faces.originals is None else plain(study.faces.left_out),
    },
    "tasks": {task: task_numbers(task, run) for task, run in runs.items()},
    "cautions": cautions,
}
text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
_ = Path(numbers).write_text(text + "\n", encoding="utf-8")
