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
from tinyvgg.faces import twins
from tinyvgg.faces.index import load_faces
from tinyvgg.faces.sources import synthfaces, terms_of
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)

# %%
compared = files.measured("detectors")
detector = compared["used"]["detector"]
terms = {each: terms_of(each) for each in ("synthetic", "rafd:PATH", "london:PATH", "folder:PATH")}
free, bound = ([x.name for x in terms.values() if x.may_publish is may] for may in (True, False))
Markdown(
    "> **What came out.** *You decide what networks see*, with the option `crop`. By default each"
    " camera of the database has one square. For other photographs it is a square around the face"
    f" that a detector, {detector}, finds, and images without one clear face are left out; a folder of"
    " images that show few faces, or are cropped already, is cropped to their middle. *Files that"
    f" cannot be used* are left out, each with its reason. *Pages are published* at once"
    f" with {' and '.join(free)}; with {' or '.join(bound)} only if you confirm that you have the right."
)

# %% [markdown]
# ## Where photographs come from
#
# A source is written in one line, which notebooks, the command line and `make` take alike:
#
# ```sh
# make reproduce FACES=rafd:path/to/RaFD
# make reproduce FACES=london:path/to/london
# make reproduce FACES=folder:path/to/photographs
# make reproduce FACES=folder:path/to/faces.csv
# tinyvgg notebook 04 -p faces folder:photographs::crop=faces,unclear=largest
# ```
#
# - `rafd:PATH` reads the database's files by their names, in sub-folders or not, and checks them
#   against its design. Names that are almost right are listed and not guessed at.
# - `london:PATH` reads the unpacked Face Research Lab London Set {cite:p}`debruine2017`, with age,
#   sex and group of its subjects.
# - `folder:PATH` reads a folder with one sub-folder per class, or a CSV file with one row per
#   image: a column `path` and any of `subject`, `emotion`, `gaze`, `angle`, `sex`, `group`, `age`,
#   `class` and `split`, or names like `filename` and `label`; other columns are kept. Folders such
#   as `train` and `val` above or below the classes are a split, and are obeyed.
#
# Where a source names persons, all images of a person go to the same part, training or test.
# Analyses that need a missing column are skipped. Images are turned upright by their EXIF notes,
# and what is transparent becomes white. HEIC needs the package `pillow-heif`.
#
# Options follow `::`, such as `crop=faces`. `crop` decides how an image becomes a square:
#
# - `camera`, the default of `rafd`, takes the same square of all images of a camera.
# - `faces`, the default of `london`, takes a square around the eyes of the face, turned so that
#   they are level; `head` takes the whole head.
# - `auto`, the default of `folder`, looks at a few images first. If they show no faces or are
#   cropped already, it works like `centre`; otherwise like `faces`.
# - `centre` takes the largest square in the middle.
#
# `unclear` decides about an image that shows no face, or several of similar size: `skip`, the
# default, leaves it out; `centre` crops to its middle; `largest` crops to the largest face. For
# `folder:PATH`, `group` names the column of a table whose images stay in one part, such as a
# session, and `outside=allow` reads images that a table names outside of its own folder.
#
# ## One square per camera
#
# The database's cameras do not move, and every face is at the same place before them. One square
# per camera is then enough, and nobody is cropped more closely for laughing. It is the median of
# the squares around a sample of faces. Look at the figure of your own run before you trust them.
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
# Each run lists what is missing of the design. Here that is most, since few images were written:

# %%
Markdown(photographs.used_of(in_form))

# %% [markdown]
# ## Finding faces
#
# MTCNN {cite:p}`zhang2016` and CenterFace {cite:p}`xu2020` were compared at several scales
# (`results/detectors.json`). They were shown photographs of people, the same scaled down so that
# faces are small, an astronaut, pictures without any face, and synthetic faces before all five
# cameras. Below are the scale in use, and for each detector the fastest of those that miss fewest.

# %%
scales = photographs.best_scales(compared).sort_values("used", ascending=False)
said = [
    f"{row.detector} (scaled to {row.long_side} pixels{', in use' * row.used}) misses {row.missed},"
    f" finds {row.elsewhere} where there are none, and takes {row.ms:.0f} ms per image."
    for row in scales.itertuples()
]
Markdown("Of {faces} faces in {shown} images, ".format_map(scales.iloc[0]) + " ".join(said))

# %% [markdown]
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
made = {"calm/cut off.png": content[: len(content) // 2], "calm/empty.jpg": b""}
made |= {"calm/letter.jpg": b"To whom it may concern", "glad/copy.png": content}
made |= {"glad/again.png": (folder / "glad" / "1.png").read_bytes(), "beside.png": content}
for name, written in made.items():
    (folder / name).write_bytes(written)
frames = [Image.fromarray(np.full((9, 9, 3), shade, np.uint8)) for shade in (10, 200)]
frames[0].save(folder / "glad" / "moving.webp", save_all=True, append_images=frames[1:])

bad = load_faces(f"folder:{folder}::crop=centre", 64, progress=False)
display(Markdown(photographs.used_of(bad)))
bad.left_out.set_index("path")[["reason"]]

# %% [markdown]
# Of equal images one stays; if their classes differ, none does. Otherwise a network could be tested
# on a copy of what it learned. Pixels are compared, not files.
#
# The same shot encoded anew, resized, mirrored, slightly cropped, or taken once more is a
# *near-twin*. Near-twins stay, and are drawn into one part together. How many are found? Changed
# copies were added to sets of distinct images. *JPEG* gives the quality and a share the new size;
# *burst* is the next shot of a series, slightly moved and with other noise.

# %%
measured = {name: each for name, each in files.measured("twins").items() if isinstance(each, dict)}
table = pd.DataFrame(measured).loc[["images", "false", "of"]]
table.index = ["images", "taken for twins by mistake", "copies of each change"]
counts = pd.DataFrame({name: each["found"] for name, each in measured.items()})
whole = (counts == table.iloc[-1]).all(axis=1)
said = f"All copies were found after these changes: {'; '.join(counts.index[whole])}. The table has"
said += f" the others. Copies of fewer than {twins.SMALLEST} pixels are not looked for."
display(Markdown(said))
pd.concat([table, counts[~whole]]).rename_axis("copies found, by change")

# %% mystnb={"figure": {"name": "fig-crops", "caption": "The part of this run's photographs that networks see. Top: the square that is cut out. Bottom: the square by itself."}, "image": {"alt": "Pictures of people with a square around the face, and below each the square by itself."}}
photographs.crops_figure(study.faces)

# %%
if study.faces.originals is not None:
    display(Markdown(f"The photographs of this run: {photographs.used_of(study.faces)}"))
    if len(study.faces.left_out):
        display(study.faces.left_out.set_index("path")[["reason"]])

# %% [markdown]
# ## What may be done with the pages
#
# Every source carries its terms. A site that shows people says so at the foot of each page, and
# holds no photograph at its full size. `tinyvgg publish` and `make publish` copy the site of the
# last reproduction to a folder for the web:
#
# - with synthetic faces (BSD 3-Clause) and with the London Set (CC BY 4.0, with credit) at once;
# - with the database and with folders of your own only if you confirm that you have the right, by
#   `--confirm` or `make publish CONFIRM=1`. Nothing checks whether you have it, and to confirm does
#   not give it: the database is lent for research to those who signed its agreement, and people in
#   your photographs have to consent.
#
# None of these photographs is part of this repository; its own site shows synthetic faces.
#
# ## Without a notebook
#
# Single images are explained by a trained network, named by any part of its run's name that no other
# has (`tinyvgg runs` lists them). A whole set is analysed on one page.
#
# ```sh
# tinyvgg explain one.jpg another.png --run emotion-synthetic --true happy
# tinyvgg report --faces folder:path/to/photographs
# ```
#
# ## What may be concluded, and what may not
#
# - What is used follows written rules, and what is not used is listed. Two people who point the
#   project at the same files work on the same pixels.
# - A network that finds the faces decides what another one gets to see. It was trained on
#   photographs of people, and those whom it misses are left out of all that follows. The list shows
#   whether they have something in common.
