"""The Face Research Lab London Set as it is published (doi 10.6084/m9.figshare.5047666, CC BY 4.0).

Its folders are named after expression and view; in them the images are named after the person and
the number of the view, such as ``neutral_front/001_03.jpg``. Age, sex and group of the persons are
in a table beside them. It is published as an archive for each folder, and the table.
"""

import csv
import re
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tinyvgg.errors import UserError
from tinyvgg.faces.folder import UNKNOWN, Listing, Value, listing, named_images
from tinyvgg.faces.rafd import USED_ANGLES
from tinyvgg.faces.sources import synthfaces, terms_of
from tinyvgg.files import write_folder_whole, write_text

_NUMBER = 5047666
DOI = f"doi:10.6084/m9.figshare.{_NUMBER}/"
ARTICLE = f"https://api.figshare.com/v2/articles/{_NUMBER}"
FRONTAL = ("neutral_front", "smiling_front")
EXPRESSIONS = {"neutral": "neutral", "smiling": "happy"}
_VIEWS = ("right_profile", "right_3quarter", "front", "left_3quarter", "left_profile")
VIEWS = dict(zip(_VIEWS, synthfaces.ANGLES, strict=True))
"""The angle of each view; a side is taken to be the person's own, as in RaFD."""

TABLES = ("london_faces_info.csv", "london_info.csv")
FOLDERS = tuple(f"{expression}_{view}" for expression in EXPRESSIONS for view in VIEWS)

_NAME = re.compile(r"(\d{3})_\d{2}\.jpe?g", re.IGNORECASE | re.ASCII)
_TABLE_COLUMNS = {"face_age": "age", "face_gender": "sex", "face_sex": "sex", "face_eth": "group"}
_DIGITS = 9


def list_london(folder: Path) -> Listing:
    """List the images of the views that are there, sorted by person and folder."""
    people = _people(folder)
    columns = sorted({name for person in people.values() for name in person})
    unknown = {name: UNKNOWN for name in columns if name != "age"}

    def facts_of(path: str) -> dict[str, Value]:
        person = _NAME.fullmatch(Path(path).name)
        expression, _, view = path.partition("/")[0].partition("_")
        if person is None:
            raise UserError("is not named as the set's images are")
        number = int(person[1])
        known: dict[str, Value] = {"subject": number, "emotion": EXPRESSIONS[expression]}
        known |= {"gaze": "frontal", "angle": VIEWS[view]}
        return {**known, **unknown, **people.get(number, {})}

    there = [name for name in FOLDERS if (folder / name).is_dir()]
    named, left_out, beside = named_images(folder, facts_of, there)
    beyond = [one for one in named if one.known["angle"] not in USED_ANGLES]
    used = [one for one in named if one.known["angle"] in USED_ANGLES]
    used.sort(key=lambda one: (one.known["subject"], one.path))
    if not used:
        raise UserError(
            f"folder {str(folder)!r} has none of the folders {', '.join(FOLDERS)} with images; "
            "give the folder that holds them, or fetch them: tinyvgg faces fetch london FOLDER"
        )
    gone = ", ".join(name for name in FOLDERS if name not in there)
    missing = [f"folders that are not there: {gone}"] if gone else []
    for name in columns:
        without = {one.known["subject"] for one in used if one.known.get(name, UNKNOWN) == UNKNOWN}
        if without:
            missing.append(f"{name} of persons {sorted(without)}")
    return listing(folder, used, left_out, missing, beyond, reading=beside)


def _people(folder: Path) -> dict[int, dict[str, Value]]:
    """Return age, sex and group of each person in the table; of none without a table."""
    for place in (folder / name for name in TABLES):
        if place.is_file():
            try:
                with place.open(encoding="utf-8-sig", newline="") as file:
                    return dict(map(_person, csv.DictReader(file)))
            except (OSError, ValueError, csv.Error) as error:
                raise UserError(
                    f"table {str(place)!r} cannot be read ({error}); repair it as CSV in UTF-8, or "
                    "remove it to go without age, sex and group"
                ) from None
    return {}


def _person(row: Mapping[str, str]) -> tuple[int, dict[str, Value]]:
    number = int(re.sub(r"\D", "", row.get("face_id") or "")[:_DIGITS] or 0)
    known: dict[str, Value] = {}
    for name, column in _TABLE_COLUMNS.items():
        text = (row.get(name) or "").strip()
        if text in ("", "NA"):
            continue
        if column != "age":
            known[column] = text
        elif re.fullmatch(r"\d{1,3}(\.\d+)?", text, re.ASCII):
            known[column] = round(float(text))
    return number, known


def fetch_london(
    folder: Path,
    everything: bool = False,
    place: str = DOI,
    progress: bool = True,
) -> list[str]:
    """Fetch the set into a folder that ``london:FOLDER`` reads.

    An archive that is there is not fetched again. The hash of each file is written down when the
    file is first seen; a file that has another one later is refused. The place is the DOI, or the
    address of a mirror; what the DOI leads to is refused once it has another licence.
    """
    import pooch
    import requests

    terms, pins, archives = terms_of("london:anywhere"), folder / "hashes.txt", folder / "archives"
    wanted = [*(f"{name}.zip" for name in (FOLDERS if everything else FRONTAL)), TABLES[0]]
    try:
        if place == DOI:
            about = requests.get(ARTICLE, timeout=60)
            if (licence := about.json()["license"]["name"]) != terms.licence:
                raise UserError(
                    f"the set is published under {licence!r} now, not under {terms.licence}; "
                    "read its terms, and download it by hand"
                )
        fetcher = pooch.create(archives, place, registry=dict.fromkeys(wanted))
        if place.startswith("doi:"):
            fetcher.registry.clear()
            fetcher.load_registry_from_doi()
            needed = {*(f"{name}.zip" for name in FRONTAL), TABLES[0]}
            wanted = [name for name in wanted if name in {*fetcher.registry, *needed}]
        seen = dict(map(str.split, pins.read_text().splitlines())) if pins.exists() else {}
        fetcher.registry |= seen
        for name in wanted:
            downloader = pooch.downloaders.choose_downloader(place, progress)
            path = fetcher.fetch(name, downloader=downloader)
            seen[name] = f"sha256:{pooch.file_hash(path)}"
            write_text(pins, "".join(f"{name} {value}\n" for name, value in sorted(seen.items())))
    except UserError:
        raise
    except (requests.RequestException, ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"the set cannot be fetched from {place} ({' '.join(str(error).split())}); the same "
            f"command goes on from here; if the set was published anew, remove {str(pins)!r} first"
        ) from None
    for name in wanted:
        _unpack(archives / name, folder)
    write_text(folder / "LICENCE.txt", f"{terms.name}\nLicence: {terms.licence}\n{terms.cite}\n")
    return wanted


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the images of an archive, wherever they lie in it, into a folder of their own."""

    def extract(to: Path) -> None:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                name = PurePosixPath(member.filename.replace("\\", "/")).name
                if name.lower().endswith((".jpg", ".jpeg")) and not name.startswith("."):
                    (to / name).write_bytes(opened.read(member))

    if archive.suffix != ".zip":
        shutil.copyfile(archive, folder / archive.name)
    elif not (folder / archive.stem).exists():
        try:
            write_folder_whole(folder / archive.stem, extract)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):
            raise UserError(
                f"archive {str(archive)!r} is damaged; remove it, and try again"
            ) from None
