# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Photographs of your own
#
# With a licence, you point this project at the Radboud Faces Database and reproduce the paper.
# Without one, you point it at open photographs, or at your own. Which part of them do networks see,
# and who decides that? What becomes of files that cannot be used? What may be done with pages that
# show people?

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from PIL import Image

from tinyvgg import files
from tinyvgg.chapters import photographs
from tinyvgg.faces.index import load_faces
from tinyvgg.faces.sources import OPTIONS, synthfaces, terms_of
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)

# %%
compared = files.measured("detectors")
scales = photographs.best_scales(compared).sort_values("used", ascending=False)
said = [
    f"{row.detector} misses {row.missed} of them, finds {row.elsewhere} where there are none, and"
    f" takes {row.ms:.0f} ms an image."
    for row in scales.itertuples()
]
used = scales.iloc[0]
Markdown(
    f"> **What came out.** {used['detector']} finds the faces, in photographs scaled to"
    f" {used['long_side']} pixels. It was compared on {used['faces']} faces in {used['shown']}"
    f" images. {' '.join(said)} Files that cannot be used are left out, each with its reason."
)

# %% [markdown]
# ## Where photographs come from
#
# A source of faces is written in one line, which notebooks, the command line and `make` take alike:
#
# ```sh
# make reproduce FACES=rafd:path/to/RaFD
# make reproduce FACES=london:path/to/london
# make reproduce FACES=folder:path/to/photographs
# make reproduce FACES=folder:path/to/faces.csv
# tinyvgg notebook 04 -p faces folder:path/to/photographs::crop=faces,unclear=largest
# ```
#
# - `rafd:PATH` reads the database's files by their names, in sub-folders or not, and checks them
#   against its design. Names that are almost right are listed and not guessed at.
# - `london:PATH` reads the unpacked Face Research Lab London Set {cite:p}`debruine2017`, with age,
#   sex and group of its subjects.
# - `folder:PATH` reads a folder with one sub-folder per class, or a CSV file with one row per
#   image: a column `path` and any of `subject`, `emotion`, `gaze`, `angle`, `sex`, `group`, `age`,
#   `class` and `split`, or names like `filename` and `label`; other columns are kept. Folders such
#   as `train` and `val` above or below the classes are a split, and are obeyed. Cameras' notes on
#   which side is up are followed, and what is transparent becomes white. HEIC is read where the
#   package `pillow-heif` is installed.
#
# The first line of a report says how a folder was read. Images of a person stay in one part where
# the source knows persons; `group` names what else belongs together.
#
# A chapter leaves out what a source has no column for.
#
# Options follow `::`; in the table the default comes first.

# %%
options = {
    f"{kind}:PATH": {name: ", ".join(values or ("—",)) for name, values in known.items()}
    for kind, known in OPTIONS.items()
}
pd.DataFrame(options).T.fillna("—").rename_axis("source")

# %% [markdown]
# `crop` decides how an image becomes a square. `centre` takes the largest square in its middle.
# `faces` finds the face and takes a square around its eyes, turned so that they are level. `auto`
# looks at a few images first, and takes their middle if they show no faces or are cropped already.
# `camera` takes the same square of all images of a camera. `unclear` decides what becomes of an
# image in which no face is found, or several of similar size: `skip` leaves it out, `centre` takes
# its middle, and `largest` the largest face. `tinyvgg report` shows crops of a set, and lists what
# was left out.

# %% [markdown]
# ## One square per camera
#
# The database's cameras do not move, and every face is at the same place before them. One square
# per camera is then enough, and nobody is cropped more closely for laughing. It is the median of
# the squares around a sample of faces.
#
# No photograph of the database may be shown here. The figure shows synthetic people, written to
# disk as the database names and frames its photographs, and read from there as those would be.

# %% tags=["nbval-ignore-output"]
folder = files.build() / "examples" / f"rafd-{synthfaces.fingerprint(64, 0)}"
written = {"emotions": ("happy", "neutral"), "gazes": ("frontal",)}
synthfaces.write_rafd(folder, 4, **written, progress=False)
in_form = load_faces(f"rafd:{folder}", 64, progress=False)

# %% mystnb={"figure": {"name": "fig-cameras", "caption": "The mean image of a few synthetic people from each of the five cameras, in frames like the database's. The square is what networks see; of the five cameras they see the middle three. Bottom: the mean of what lies in the squares."}, "image": {"alt": "Five blurred mean faces from one profile over the front to the other, each with a square from above the hair line to below the chin, and below them the squares by themselves."}}
photographs.crops_figure(in_form)

# %% [markdown]
# The run lists what a folder lacks of the design, here what was not written:

# %%
Markdown(photographs.used_of(in_form))

# %% [markdown]
# ## Finding faces
#
# Two detectors were compared whose weights come inside Python packages: MTCNN {cite:p}`zhang2016`
# and CenterFace {cite:p}`xu2020`. They were shown, at several scales, photographs of people, the
# same scaled down so that faces are small, an astronaut, pictures without any face, and synthetic
# faces before all five cameras. The box above has the fastest scale of those at which a detector
# misses the fewest faces, and the scale in use. `results/detectors.json` has all scales, by picture.
#
# ## What is left out
#
# One bad file never stops a run. It is left out, counted, and listed: here, in the manifest of each
# network that is trained, and in reports. The files of this folder were made to show that:

# %%
folder, generator = files.build() / "examples" / "bad-files", np.random.default_rng(0)
for name in ("calm", "glad"):
    (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(3):
        pixels = generator.integers(0, 256, (48, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name / f"{number}.png")
content = (folder / "calm" / "0.png").read_bytes()
(folder / "calm" / "cut off.png").write_bytes(content[: len(content) // 2])
(folder / "calm" / "empty.jpg").write_bytes(b"")
(folder / "calm" / "letter.jpg").write_text("To whom it may concern")
(folder / "glad" / "copy.png").write_bytes(content)
(folder / "beside.png").write_bytes(content)
frames = [Image.fromarray(np.full((9, 9, 3), shade, np.uint8)) for shade in (10, 200)]
frames[0].save(folder / "glad" / "moving.webp", save_all=True, append_images=frames[1:])

bad = load_faces(f"folder:{folder}::crop=centre", 64, progress=False)
Markdown(photographs.used_of(bad))

# %%
bad.left_out.set_index("path")

# %% [markdown]
# A second copy of an image is left out, too: if one of the two trained a network and the other
# tested it, the test would be worthless. The same shot encoded anew, resized, mirrored, slightly
# cropped, or taken once more is a *near-twin*. Near-twins stay, and are drawn into one part
# together. Pixels are compared, not files. The rates were measured on sets of distinct images, to
# which changed copies of some were added:

# %%
found = files.measured("twins")
rows = {
    name: {
        "images": f"{measured['images']:,}",
        "taken for twins by mistake": measured["false"],
        **{change: f"{count} of {measured['of']}" for change, count in measured["found"].items()},
    }
    for name, measured in found.items()
    if isinstance(measured, dict)
}
pd.DataFrame(rows).rename_axis("copies found, by change")

# %% mystnb={"figure": {"name": "fig-crops", "caption": "The part of this run's photographs that networks see. Top: the square that is cut out. Bottom: the square by itself."}, "image": {"alt": "Pictures of people with a square around the face, and below each the square by itself."}}
photographs.crops_figure(study.faces)

# %%
if study.faces.originals is not None:
    display(Markdown(f"The photographs of this run: {photographs.used_of(study.faces)}"))
    if len(study.faces.left_out):
        display(study.faces.left_out.set_index("path"))

# %% [markdown]
# ## What may be done with the pages
#
# Every source carries its terms. A site that shows people says so at the foot of each page, and
# holds no photograph at its full size. `make publish` and `tinyvgg publish` copy the site of the
# last reproduction to a folder for the web. If the terms do not allow that, they refuse, unless you
# confirm that you may. This repository itself shows synthetic faces only.

# %%
rows = {}
for source in ("synthetic", "rafd:PATH", "london:PATH", "folder:PATH"):
    terms = terms_of(source)
    rows[source] = {
        "images": terms.name,
        "licence": terms.licence,
        "a site is published": "yes" if terms.may_publish else "only if you confirm that you may",
        "part of this repository": "yes" if terms.may_commit else "no",
    }
pd.DataFrame(rows).T.rename_axis("source")

# %% [markdown]
# ## Without a notebook
#
# To explain single images with a trained network, name its run, or any part of the name that no
# other run has (`tinyvgg runs` lists them). The photographs are cropped like those that it was
# trained on:
#
# ```sh
# tinyvgg explain one.jpg another.png --run emotion-synthetic --true happy
# ```
#
# This writes a self-contained page, and the same as pictures and as JSON. The page has the
# predicted classes, the cells that backtracking finds (elements of the last feature maps), their
# tracked features, and the answers with these cells set to zero.
#
# To analyse a whole set on one page, from training to repairs:
#
# ```sh
# tinyvgg report --faces folder:path/to/photographs
# ```
#
# ## What may be concluded, and what may not
#
# - Photographs come in by rules that are written down, and what is not used is listed. Two people
#   who point the project at the same files work on the same pixels.
# - A network that finds the faces decides what another one gets to see. It was trained on
#   photographs of people, and those whom it misses are left out of all that follows. The list shows
#   whether they have something in common.
# - Here the squares of the cameras come from synthetic people. On the database itself they will
#   differ. Look at the figure before you trust them.
