"""Small sets of photographs that are made for a page: in RaFD's form, and with bad files."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tinyvgg import paths
from tinyvgg.faces import Faces, load_faces
from tinyvgg.sources import OPTIONS
from tinyvgg.terms import Terms, terms_of

PEOPLE = 4
SIZE = 64


def in_rafd_form(progress: bool = False) -> Faces:
    """A few synthetic people before five cameras, written as RaFD's folder and read from there."""
    from tinyvgg.faces import synthetic

    folder = paths.build() / "examples" / f"rafd-{synthetic.fingerprint(SIZE, 0)}"
    synthetic.write_rafd(
        folder,
        PEOPLE,
        emotions=("happy", "neutral"),
        gazes=("frontal",),
        progress=progress,
        cache=paths.faces_cache(),
    )
    return load_faces(f"rafd:{folder}", SIZE, progress=progress)


def with_bad_files() -> Faces:
    """Two classes of coloured squares, and beside them what a folder may hold that is of no use."""
    folder = paths.build() / "examples" / "bad-files"
    generator = np.random.default_rng(0)
    for name in ("calm", "glad"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (48, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    whole = (folder / "calm" / "0.png").read_bytes()
    (folder / "calm" / "cut off.png").write_bytes(whole[: len(whole) // 2])
    (folder / "calm" / "empty.jpg").write_bytes(b"")
    (folder / "calm" / "letter.jpg").write_text("To whom it may concern")
    (folder / "glad" / "copy.png").write_bytes(whole)
    frames = [Image.fromarray(np.full((9, 9, 3), shade, np.uint8)) for shade in (10, 200)]
    frames[0].save(folder / "glad" / "moving.webp", save_all=True, append_images=frames[1:])
    (folder / "beside.png").write_bytes(whole)
    return load_faces(f"folder:{folder}::crop=centre", SIZE, progress=False)


def options_table() -> pd.DataFrame:
    """What can be chosen of each source of photographs; the first is what is usual."""
    names = list(dict.fromkeys(name for options in OPTIONS.values() for name in options))
    rows = {
        f"{kind}:PATH": {
            name: ", ".join(allowed or ("FILE.csv",)) for name, allowed in options.items()
        }
        for kind, options in OPTIONS.items()
    }
    return pd.DataFrame(rows).T[names].fillna("—").rename_axis("source")


def terms_table() -> pd.DataFrame:
    """What may be done with the images of each source."""
    rows = {source: _terms(terms_of(source)) for source in ("synthetic", *_places())}
    return pd.DataFrame(rows).T.rename_axis("source")


def _places() -> list[str]:
    return [f"{kind}:{Path('PATH')}" for kind in ("rafd", "london", "folder")]


def _terms(terms: Terms) -> dict[str, str]:
    yes = {True: "yes", False: "only if you confirm that you may"}
    return {
        "images": terms.name,
        "licence": terms.licence,
        "a site is published": yes[terms.may_publish],
        "part of this repository": "yes" if terms.may_commit else "no",
    }
