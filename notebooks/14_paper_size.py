# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # At the paper's size
#
# The other chapters show networks for small images, which anybody can train in minutes. Does what
# they find hold at the paper's size, with images of {paper}`d2.both.size` pixels and the paper's
# recipe to the letter? `tinyvgg trial size` trains both networks on the same faces at that size,
# runs the same analyses, and keeps a record. This chapter shows it.

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
from tinyvgg.chapters import paper_size, style
from tinyvgg.chapters.statistics import networks_of
from tinyvgg.chapters.verdicts import judge
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
record, arrays = paper_size.record() if faces == "synthetic" else {}, {}
numbers = record.get("numbers", {})
if numbers:
    with np.load(paper_size.path().with_suffix(".npz")) as stored:
        arrays = dict(stored)

# %%
tests, said, small = [], [], networks_of(study)
for id, verdict in (judge(small) if numbers else {}).items():
    for test in paper.claim(id).tests:
        if test.central and not test.within and test.number in numbers:
            unit, value = paper.describe(test.number).unit, numbers[test.number]
            row = {"claim": id, "test": test.says, "this size": paper.show(value, unit)}
            row["as the paper says"] = "yes" if test.agrees(float(value)) else "no"
            tests.append({**row, "small networks": verdict.verdict})

for task, claim in (("subject", "s3"), ("emotion", "s4")) if numbers else ():
    errors, overlap, cells = (
        paper.show(numbers.get(key), unit)
        for key, unit in (
            (f"t2.{task}.errors", "count"),
            (f"a1.{task}.jaccard_literal", "share"),
            (f"{claim}.{task}.repair_pixels", "mean"),
        )
    )
    said.append(
        f"- The network for {paper.TASK_NAMES[task]} makes {errors} errors, the paper's"
        f" {paper.quantity(f't2.{task}.errors').text}. Asked about another class, Algorithm 1 finds"
        f" cells whose overlap with the first ones is {overlap}. Undoing an error takes {cells} cells on"
        f" average. It was trained in {record['last_epoch'][task]} epochs, with products in"
        f" {record['precision'][task]}, which took {record['seconds'][task] / 3600:.1f} hours."
    )
agreed = sum(row["as the paper says"] == "yes" for row in tests)
said.append(f"- {agreed} of {len(tests)} deciding tests come out as the paper says.")
missing = "Not recorded for these faces: `tinyvgg trial size` makes the record."
Markdown("\n> ".join(["> **What came out.**", "", *said]) if numbers else missing)

# %% [markdown]
# ## The errors, and their tracked features
#
# The figures show a sample, spread evenly over all errors of each network. Below each error are the
# features that Algorithm 2 tracks from the cells that backtracking finds (published cutoff). A cell
# is an element of the last feature maps; the paper calls it a pixel.


# %% mystnb={"figure": {"name": "fig-large-subject", "caption": "Errors of the network for identity at the paper's size, each with its true class and, after >, the class that it was taken for. Below each are its tracked features, the stronger the darker, on a scale of its own."}, "image": {"alt": "Rows of portraits, and below each a white picture with gray traces on some parts of the face."}}
def gallery(task):
    names = [style.short(name) for name in record["classes"][task]]
    of = {name.removeprefix(f"{task}.errors."): each for name, each in arrays.items()}
    titles = [f"{names[t]}\n> {names[a]}" for t, a in zip(of["true"], of["answers"], strict=True)]
    rows = [
        ("image", list(zip(titles, of["images"], strict=True))),
        ("features", [("", each) for each in of["tracked"]]),
    ]
    return style.pictures(rows, cell=style.WIDTH / 8, aspect=1.2)


gallery("subject") if arrays else None

# %% mystnb={"figure": {"name": "fig-large-emotion", "caption": "Errors of the network for emotion at the paper's size, each with its true class and, after >, the class that it was taken for. Below each are its tracked features, the stronger the darker, on a scale of its own."}, "image": {"alt": "Rows of portraits, and below each a white picture with gray traces on some parts of the face."}}
gallery("emotion") if arrays else None

# %% [markdown]
# ## The pair of one subject
#
# Each of the last maps has {paper}`t1.both.last_size` × {paper}`t1.both.last_size` cells at this
# size, as in the paper. Which of them does backtracking keep? The paper's first case study asks what an error and a
# right image of the same subject have in common.


# %% mystnb={"figure": {"name": "fig-large-maps", "caption": "The last maps of an error of the network for identity: the stronger a cell, the darker. Red cells are active, but the published cutoff leaves them out."}, "image": {"alt": "A wall of small gray maps of a face with many red cells."}}
def maps_wall():
    maps, kept = arrays["subject.pair.maps"][0], arrays["subject.pair.kept"][0]
    shown = np.repeat(maps[..., None], 3, 3)
    shown[(maps < 255) & ~kept] = list(bytes.fromhex(style.RED[1:]))
    tiles = np.pad(shown, ((0, 0), (0, 2), (0, 2), (0, 0)), constant_values=255)
    sheet = style.tiled(tiles, 8, 255.0)
    figure, axes = style.grid(1, 1, cell=style.WIDTH * 0.8, aspect=len(sheet) / sheet.shape[1])
    style.show_image(axes[0, 0], sheet)
    return figure


maps_wall() if arrays else None


# %% mystnb={"figure": {"name": "fig-large-pair", "caption": "The same error and its look-alike, the right image of the same subject that is most like it. Then the tracked features of the error's cells: of all that backtracking finds (tracked), of those that it finds in both images (common), and of those that it finds in the error only (unique)."}, "image": {"alt": "Two portraits of one person and three white pictures with gray traces of the face."}}
def pair():
    of = {name.removeprefix("subject.pair."): each for name, each in arrays.items()}
    names = record["classes"]["subject"]
    true, answer = (names[int(of[side][0])] for side in ("true", "answers"))
    panels = [(f"taken for {answer}", of["images"][0]), (f"right: {true}", of["others"][0])]
    panels += [(name, of[name][0]) for name in ("tracked", "common", "unique")]
    return style.pictures([("", panels)], aspect=1.1)


pair() if arrays else None

# %% [markdown]
# ## Eight emotions, and Table 3
#
# For each emotion that is a wrong answer we take the error that is most like its look-alike. What becomes of the answer once the cells unique to the error are set to zero (the
# paper's Figure 11 and Table 3)? The table shows probabilities, before → after.


# %% mystnb={"figure": {"name": "fig-large-eight", "caption": "After the paper's Figure 11, at its size: errors with the class that each was taken for, their look-alikes with the true class, and the tracked features of the cells that are unique to the error."}, "image": {"alt": "Up to eight columns of two similar portraits each, and below them a white picture with dark traces of some parts of the face."}}
def eight():
    of = {name.removeprefix("emotion.each."): each for name, each in arrays.items()}
    names = [style.short(name, 13) for name in record["classes"]["emotion"]]
    rows = [
        ("A, taken for", [(names[k], i) for k, i in zip(of["answers"], of["images"], strict=True)]),
        ("B, right as", [(names[k], i) for k, i in zip(of["true"], of["others"], strict=True)]),
        ("unique", [("", ink) for ink in of["unique"]]),
    ]
    return style.pictures(rows, cell=style.WIDTH / 8, aspect=1.2)


eight() if arrays else None

# %%
if arrays:
    before, after = (arrays[f"emotion.each.{state}"] for state in ("before", "after"))
    names = np.array(record["classes"]["emotion"])
    table = pd.DataFrame(index=pd.RangeIndex(1, len(before) + 1, name="case"))
    for title, side in (("true class", "true"), ("class it was taken for", "answers")):
        labels = arrays[f"emotion.each.{side}"]
        pairs = zip(names[labels], before, after, labels, strict=True)
        table[title] = [f"{name}: {x[k]:.2f} → {y[k]:.2f}" for name, x, y, k in pairs]
    table["answer after"] = names[after.argmax(1)]
    display(table.reset_index())

# %% [markdown]
# ## Every number beside the paper's
#
# *This size* is one network for each task; the last column but one shows the networks for small
# images, mean and standard deviation over seeds. Numbers equal to the paper's are left out.

# %% tags=["hide-output"]
if numbers:
    rows = {
        paper.describe(key).full_label: {
            "paper": paper.quantity(key).text,
            "this size": paper.show(numbers[key], paper.quantity(key).unit),
            f"{study.profile.size} pixels": paper.show_spread(small, key),
            "claim": paper.quantity(key).claim,
        }
        for key in paper.load().numbers
        if key in numbers
        and paper.show(numbers[key], paper.quantity(key).unit) != paper.quantity(key).text
    }
    display(pd.DataFrame.from_dict(rows, orient="index").rename_axis("quantity"))

# %% [markdown]
# ## What may be concluded, and what may not
#
# The claims are judged on many small networks ({doc}`/claims`). Do their deciding tests come out
# the same way at this size? Tests against the paper's numbers are left out.

# %%
pd.DataFrame(tests) if tests else None

# %% [markdown]
# - The paper names no precision. Training multiplies shorter numbers where the device has units
#   for them (`auto`, {doc}`/training`); all analyses have full precision.
# - One network a task is an example: it shows that something happens at this size, not how often.
# - The faces are the same as in the other chapters, rendered larger. A difference from the small
#   networks comes from the size, the longer training, or chance.
