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
from tinyvgg.faces.sources import OPTIONS, synthfaces, terms_of
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)

# %%
compared = files.measured("detectors")
detector = compared["used"]["detector"]
terms = {each: terms_of(each) for each in ("synthetic", "rafd:PATH", "london:PATH", "folder:PATH")}
free, bound = ([x.name for x in terms.values() if x.may_publish is may] for may in (True, False))
Markdown(
    "> **What came out.** *You decide what networks see*, with the option `crop`. By default each"
    f" camera of the database has one square; of other photographs a detector, {detector}, finds the"
    " faces, and images without one clear face are left out. *Files that cannot be used* are left"
    f" out, too, each with its reason. *What may be published*: pages with {' and '.join(free)}."
    f" Pages with {' or '.join(bound)} are published only if you confirm that you have the right."
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
#   as `train` and `val` above or below the classes are a split, and are obeyed. Images are turned
#   upright by their EXIF notes, and what is transparent becomes white. HEIC needs `pillow-heif`.
#
# The first line of a report says how a folder was read. Where a source names persons, all images of
# a person go to the same part, training or test. Analyses that need a missing column are skipped.
#
# Options follow `::`, such as `crop=faces`. `crop` decides how an image becomes a square:
#
# - `centre` takes the largest square in its middle.
# - `faces` takes a square around the eyes of the face, turned so that they are level; `head` takes
#   the whole head.
# - `camera` takes the same square of all images of a camera.
# - `auto` looks at a few images first. If they show no faces or are cropped already, it takes their
#   middle; otherwise it works like `faces`.
#
# `unclear` decides about an image that shows no face, or several of similar size: `skip`, the
# default, leaves it out, `centre` crops to its middle, and `largest` crops to the largest face. For
# `folder:PATH`, `group` names the column of a table whose images stay in one part, such as a
# session, and `outside=allow` reads images that a table names outside of its own folder.

# %%
crops = {f"{kind}:PATH": OPTIONS[kind]["crop"] for kind in OPTIONS}
defaults = {source: {"default": x[0], "others": ", ".join(x[1:])} for source, x in crops.items()}
pd.DataFrame(defaults).T.rename_axis("crop")

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
# Each run lists what a folder lacks of the database's design. Here that is most, since few images
# were written:

# %%
Markdown(photographs.used_of(in_form))

# %% [markdown]
# ## Finding faces
#
# Two detectors were compared whose weights come inside Python packages: MTCNN {cite:p}`zhang2016`
# and CenterFace {cite:p}`xu2020`. They were shown, at several scales, photographs of people, the
# same scaled down so that faces are small, an astronaut, pictures without any face, and synthetic
# faces before all five cameras. `results/detectors.json` gives all scales, by picture. The summary
# has the scale in use, and of each detector the fastest of those that miss the fewest faces.

# %%
scales = photographs.best_scales(compared).sort_values("used", ascending=False)
said = [
    f"{row.detector} (scaled to {row.long_side} pixels{', in use' * row.used}) misses {row.missed},"
    f" finds {row.elsewhere} where there are none, and takes {row.ms:.0f} ms per image."
    for row in scales.itertuples()
]
of = scales.iloc[0]
Markdown(f"Of {of['faces']} faces in {of['shown']} images, {' '.join(said)}")

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
again = (folder / "calm" / "1.png").read_bytes()
made = {"calm/cut off.png": content[: len(content) // 2], "calm/empty.jpg": b""}
made |= {"calm/letter.jpg": b"To whom it may concern", "calm/one again.png": again}
for name, written in (made | {"glad/copy.png": content, "beside.png": content}).items():
    (folder / name).write_bytes(written)
frames = [Image.fromarray(np.full((9, 9, 3), shade, np.uint8)) for shade in (10, 200)]
frames[0].save(folder / "glad" / "moving.webp", save_all=True, append_images=frames[1:])

bad = load_faces(f"folder:{folder}::crop=centre", 64, progress=False)
Markdown(photographs.used_of(bad))

# %%
bad.left_out.set_index("path")[["reason"]]

# %% [markdown]
# Of equal images one stays; if their classes differ, none does. Pixels are compared, not files. A
# network that trained on one copy and was tested on the other would make the test worthless.
#
# The same shot encoded anew, resized, mirrored, slightly cropped, or taken once more is a
# *near-twin*. Near-twins stay, and are drawn into one part together. How many are found? Changed
# copies were added to sets of distinct images. *JPEG* gives the quality and a share the new size;
# *burst* is the next shot of a series, slightly moved and with other noise.

# %%
measured = {name: each for name, each in files.measured("twins").items() if isinstance(each, dict)}
counts = pd.DataFrame({name: each["found"] for name, each in measured.items()})
whole = counts.eq(pd.Series({name: each["of"] for name, each in measured.items()})).all(axis=1)
display(
    Markdown(
        f"All copies were found after these changes: {'; '.join(counts.index[whole])}. The table has"
        f" the others. Copies of fewer than {twins.SMALLEST} pixels a side are not looked for."
    )
)
about = {
    name: {"images": each["images"], "taken for twins by mistake": each["false"]}
    | {f"{change} (of {each['of']})": each["found"][change] for change in counts.index[~whole]}
    for name, each in measured.items()
}
pd.DataFrame(about).rename_axis("copies found, by change")

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
# holds no photograph at its full size. `tinyvgg publish` and `make publish` copy the site of the
# last reproduction to a folder for the web. For synthetic faces and the London Set they do so at
# once. For the database and for folders of your own they refuse, unless you confirm with `--confirm`
# (`make publish CONFIRM=1`) that you have the right. Nothing checks it, and confirming does not give
# it: the database is lent for research and may not be passed on, and people in your photographs have
# to consent. This repository shows synthetic faces only, and its own site no photograph.

# %%
pd.DataFrame(
    {
        source: {
            "images": each.name,
            "licence": each.licence,
            "published": ("if you confirm", "yes")[each.may_publish],
        }
        for source, each in terms.items()
    }
).T.rename_axis("source")

# %% [markdown]
# ## Without a notebook
#
# Explain single images with a trained network, cropped like those that it was trained on. Give its
# run's name, or an unambiguous part of it (`tinyvgg runs` lists them). Or analyse a whole set, from
# training to repairs. Each command writes one self-contained page:
#
# ```sh
# tinyvgg explain one.jpg another.png --run emotion-synthetic --true happy
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
