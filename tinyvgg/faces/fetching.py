"""Fetch the Face Research Lab London Set from where it is published, and keep what was seen first.

The set lies on figshare, one archive for each of its folders and a table of the persons
(doi 10.6084/m9.figshare.5047666, CC BY 4.0). An interrupted download goes on where it was. The hash
of each file is written down when the file is first seen; a file that has another one later is
refused.
"""

import json
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyvgg.errors import UserError, need
from tinyvgg.faces.london import FOLDERS, TABLES
from tinyvgg.faces.sources import terms_of
from tinyvgg.files import write_folder_whole, write_whole

need("faces", "pooch", "requests", "tqdm")

ARTICLE = "https://api.figshare.com/v2/articles/5047666"
"""Where the publisher lists the files: names, addresses, sizes, checksums."""
FRONTAL = ("neutral_front", "smiling_front")
PINS = "hashes.json"
ARCHIVES = "archives"
LICENCE = "CC BY 4.0"
_TIMEOUT_SECONDS = 60
_CHUNK = 2**14
"""Bytes that are written at a time; what came of the last one is lost with the connection."""
_IMAGES = (".jpg", ".jpeg")


@dataclass(frozen=True)
class Remote:
    """A file as its publisher describes it.

    Attributes:
        name: of the file.
        url: its address.
        size: in bytes.
        md5: its checksum; nothing where none is given.
    """

    name: str
    url: str
    size: int
    md5: str = ""


def fetch_london(
    folder: Path,
    everything: bool = False,
    hashes: Mapping[str, str] | None = None,
    article: str = ARTICLE,
    progress: bool = True,
) -> list[str]:
    """Fetch the set into a folder that ``london:FOLDER`` reads.

    Args:
        folder: new, or to go on with.
        everything: all views of the persons, and not the frontal ones alone.
        hashes: of files by name, as ``sha256:...`` or ``md5:...``, that have to be met.
        article: address of the publisher's list.
        progress: whether to show progress bars.

    Returns:
        The names of what was fetched.

    Raises:
        UserError: the publisher cannot be reached, the licence is another one, a file is missing
            or has another hash, or the folder cannot be written.
    """
    wanted = [*(f"{name}.zip" for name in (FOLDERS if everything else FRONTAL)), TABLES[0]]
    given = dict(hashes or {})
    _check_names(given, wanted)
    try:
        (folder / ARCHIVES).mkdir(parents=True, exist_ok=True)
        files = _listed(article, wanted, needed=[f"{name}.zip" for name in FRONTAL] + [TABLES[0]])
        for file in files:
            _fetch(file, folder, given.get(file.name, ""), progress)
        for file in files:
            _unpack(folder / ARCHIVES / file.name, folder)
        _sign(folder)
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be written ({error.strerror or error}); name another"
        ) from None
    return [file.name for file in files]


def _check_names(given: Mapping[str, str], wanted: Sequence[str]) -> None:
    for name, value in given.items():
        if name not in wanted:
            raise UserError(f"hash of {name!r}: it is not one of {', '.join(wanted)}")
        if value.partition(":")[0] not in ("sha256", "md5"):
            raise UserError(f"hash {value!r} of {name!r} does not begin with sha256: or md5:")


def _listed(article: str, wanted: Sequence[str], needed: Sequence[str]) -> list[Remote]:
    """The files as their publisher lists them.

    Args:
        article: address of the list.
        wanted: names.
        needed: those without which there is no set.
    """
    import requests

    try:
        answer = requests.get(article, timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        licence = str(content["license"]["name"])
        files = {str(file["name"]): _remote(file) for file in content["files"]}
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"the list of files at {article} cannot be read ({_short(error)}); check the network, "
            "or download the archives by hand and unpack them side by side"
        ) from None
    if licence != LICENCE:
        raise UserError(
            f"the set is published under {licence!r} now, and not under {LICENCE}; read its terms, "
            "and download it by hand"
        )
    for name in needed:
        if name not in files:
            raise UserError(f"the publisher lists no {name!r}, but {', '.join(files)}")
    return [files[name] for name in wanted if name in files]


def _remote(file: Mapping[str, Any]) -> Remote:
    md5 = str(file.get("computed_md5") or "")
    return Remote(str(file["name"]), str(file["download_url"]), int(file["size"]), md5)


def _fetch(file: Remote, folder: Path, given: str, progress: bool) -> None:
    """Download a file, or go on with it, unless it is there; its hash is kept."""
    import pooch
    import requests

    pins, archives = _pins(folder), folder / ARCHIVES
    known = given or pins.get(file.name) or (f"md5:{file.md5}" if file.md5 else None)
    resume = Resuming(archives / f".{file.name}.part", file, progress)
    try:
        path = pooch.retrieve(file.url, known, file.name, archives, downloader=resume)
    except requests.RequestException as error:
        raise UserError(
            f"the download of {file.name!r} broke off ({_short(error)}); the same command goes on "
            "from there"
        ) from None
    except ValueError:
        raise UserError(
            f"file {file.name!r} has not the hash {known}; if it was published anew, remove "
            f"{str(folder / PINS)!r} to take it, else try again"
        ) from None
    pins[file.name] = f"sha256:{pooch.file_hash(path)}"
    text = json.dumps(pins, indent=1, sort_keys=True) + "\n"
    write_whole(folder / PINS, lambda to: to.write_text(text, encoding="utf-8"))


def _pins(folder: Path) -> dict[str, str]:
    """The hashes that were seen first."""
    try:
        content = json.loads((folder / PINS).read_text("utf-8"))
        return {str(name): str(value) for name, value in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError):
        raise UserError(
            f"file {str(folder / PINS)!r} is damaged; remove it to pin the hashes anew"
        ) from None


@dataclass(frozen=True)
class Resuming:
    """A downloader for pooch that keeps what has come, and asks for the rest the next time.

    Attributes:
        part: where it is kept.
        file: that is downloaded.
        progress: whether to show a progress bar.
    """

    part: Path
    file: Remote
    progress: bool

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Download the rest, and hand the whole over.

        Raises:
            requests.RequestException: the connection failed.
        """
        import requests
        from tqdm.auto import tqdm

        have = self.part.stat().st_size if self.part.exists() else 0
        if have >= self.file.size:  # too much, or complete and not right
            have = 0
        asked = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, headers=asked, stream=True, timeout=_TIMEOUT_SECONDS) as answer:
            answer.raise_for_status()
            goes_on = answer.status_code == requests.codes.partial_content
            done = have if goes_on else 0
            bar = tqdm(
                total=self.file.size,
                initial=done,
                desc=self.file.name,
                unit="B",
                unit_scale=True,
                disable=not self.progress,
            )
            with bar, self.part.open("ab" if goes_on else "wb") as part:
                for chunk in answer.iter_content(_CHUNK):
                    part.write(chunk)
                    bar.update(len(chunk))
        shutil.move(self.part, output_file)


def _unpack(archive: Path, folder: Path) -> None:
    """An archive as a folder of its own, the table beside these; what is there stays."""
    if archive.suffix != ".zip":
        shutil.copyfile(archive, folder / archive.name)
    elif not (folder / archive.stem).exists():
        try:
            with zipfile.ZipFile(archive) as opened:
                write_folder_whole(folder / archive.stem, lambda to: _extract(opened, to))
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
            raise UserError(
                f"archive {str(archive)!r} is damaged; remove it, and try again"
            ) from None


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    """The images of an archive, wherever in it they lie."""
    for member in _images(archive.infolist()):
        with archive.open(member) as source, (folder / _name(member)).open("wb") as target:
            shutil.copyfileobj(source, target)


def _images(members: Iterable[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    return [
        member
        for member in members
        if not member.is_dir()
        and not _name(member).startswith(".")
        and Path(_name(member)).suffix.lower() in _IMAGES
    ]


def _name(member: zipfile.ZipInfo) -> str:
    return Path(member.filename.replace("\\", "/")).name


def _sign(folder: Path) -> None:
    """Say beside the images what they are and how they may be used."""
    terms = terms_of("london:anywhere")
    text = f"{terms.name[0].upper()}{terms.name[1:]}\nLicence: {terms.licence}\n{terms.cite}\n"
    write_whole(folder / "LICENCE.txt", lambda to: to.write_text(text, encoding="utf-8"))


def _short(error: Exception) -> str:
    """What an exception of the network says, in one line."""
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return said if len(said) < 120 else f"{said[:117]}..."
