"""``tinyvgg faces``: the synthetic set, or one shot of it with what is true of it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinyvgg import files as paths
from tinyvgg.cli_commands import add_command
from tinyvgg.columns import counted
from tinyvgg.errors import UserError, need
from tinyvgg.faces.sources import SOURCES, check_one_of, check_source, parse_pair, synthfaces

_DONORS = ("shape", "skin", "hair")
_HALVES = ("upper", "lower")
_FRONTAL = 90
_CHOICES: dict[str, tuple[object, ...]] = {
    "angle": synthfaces.ANGLES,
    "emotion": synthfaces.EMOTIONS,
    "gaze": synthfaces.GAZES,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """What can be asked of the set, and of one shot."""
    add, all_of_them = parser.add_argument, len(synthfaces.SUBJECTS)
    add("--size", default="64", metavar="PIXELS", help="side of the images (default: 64)")
    add("--subjects", default=str(all_of_them), metavar="N", help=f"the first N of {all_of_them}")
    add("--seed", default="0", help="of the set (default: 0)")
    add("--workers", metavar="N", help="processes (default: as many as cores)")
    _add_difficulty(parser, [])
    commands = parser.add_subparsers(metavar="COMMAND")
    about = "render one shot, changed as you like"
    _add_shot(add_command(commands, "show", _show, about))
    about = "write the set as RaFD's folder: names, 681 x 1024 frames, numbers of subjects"
    _add_folder(add_command(commands, "rafd", _rafd, about))
    about = "write contact sheets of a source, every image as networks see it"
    _add_sheets(add_command(commands, "sheets", _sheets, about))
    about = "download a set of photographs that may be used: the Face Research Lab London Set"
    _add_fetching(add_command(commands, "fetch", _fetch, about))


def _add_difficulty(parser: argparse.ArgumentParser, default: object) -> None:
    about = "a knob of the set, such as intensity=0.7; may be repeated"
    parser.add_argument(
        "--difficulty", action="append", default=default, metavar="KNOB=VALUE", help=about
    )


def _add_shot(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("subject", metavar="SUBJECT", help="its number, 1 to 73 with gaps")
    add("emotion", metavar="EMOTION", help=", ".join(synthfaces.EMOTIONS))
    add(
        "--gaze",
        default="frontal",
        help=f"{', '.join(synthfaces.GAZES)} of the subject (default: frontal)",
    )
    add("--angle", default=str(_FRONTAL), metavar="DEGREES", help="0 to 180 (default: 90, frontal)")
    add("--size", default="224", metavar="PIXELS", help="side of the image (default: 224)")
    add("--seed", default="0", help="of the set (default: 0)")
    _add_difficulty(parser, argparse.SUPPRESS)  # else it would hide what is given before `show`
    add("--set", action="append", default=[], metavar="ACTION=WEIGHT", help="may be repeated")
    add("--upper", metavar="EMOTION", help="shown by brows and eyes instead")
    add("--lower", metavar="EMOTION", help="shown by nose, cheeks and mouth instead")
    add("--light", action="append", default=[], metavar="NAME=VALUE", help="turn, key, fill, dome")
    add("--head", action="append", default=[], metavar="NAME=VALUE", help="turn, nod: degrees")
    for donor in _DONORS:
        add(f"--{donor}", metavar="SUBJECT", help=f"whose {donor} to take")
    add("-o", "--output", type=Path, required=True, metavar="FILE.png", help="the image")
    add("--truth", type=Path, metavar="FILE.npz", help="landmarks, parts, weights, ...")


def _add_folder(parser: argparse.ArgumentParser) -> None:
    add, all_of_them = parser.add_argument, len(synthfaces.SUBJECTS)
    add("folder", type=Path, metavar="FOLDER", help="new, empty, or to go on with")
    add("--subjects", default=str(all_of_them), metavar="N", help=f"the first N of {all_of_them}")
    for name, values in _CHOICES.items():
        add(f"--{name}s", metavar="A,B", help=f"of {', '.join(map(str, values))} (default: all)")
    add("--seed", default="0", help="of the set (default: 0)")
    _add_difficulty(parser, argparse.SUPPRESS)
    add("--workers", metavar="N", help="processes (default: as many as cores)")


def _add_sheets(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", metavar="FACES", help=f"one of {', '.join(SOURCES)}")
    add("--size", default="64", metavar="PIXELS", help="side of the images (default: 64)")
    add("-o", "--output", type=Path, metavar="FOLDER", help="default: build/sheets")


def _add_fetching(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("set", metavar="SET", help="london")
    add("folder", type=Path, metavar="FOLDER", help="new, or to go on with")
    add("--all-views", action="store_true", help="not the frontal ones alone")
    add(
        "--hash",
        action="append",
        default=[],
        metavar="FILE=HASH",
        help="that a file must have, as sha256:... or md5:...; may be repeated",
    )
    add("--from", dest="article", metavar="URL", help="another list of files than the publisher's")


def run(given: argparse.Namespace) -> int:
    """Render the set, or what is missing of it, and say where it lies."""
    size, seed = _size(given.size), synthfaces.parse_whole("seed", given.seed, 0)
    subjects = synthfaces.parse_whole("subjects", given.subjects, 1, len(synthfaces.SUBJECTS))
    knobs = synthfaces.parse_difficulty(given.difficulty)
    workers = _workers(given.workers)
    need("faces", "anny", "embreex", "pandas")

    folder = paths.faces_cache()
    table = synthfaces.design(subjects)
    images = synthfaces.render(table, size, folder, seed, workers, difficulty=knobs)
    where = folder / synthfaces.fingerprint(size, seed, knobs)
    print(f"{len(images)} images of {subjects} subjects, {size} pixels; {where}")
    return 0


def _show(given: argparse.Namespace) -> int:
    """Render one shot, and write what is true of it where that is asked for."""
    shot, causes, size = _shot(given), _causes(given), _size(given.size)
    output = _file(given.output, ".png")
    truth = None if given.truth is None else _file(given.truth, ".npz")
    need("faces", "anny", "embreex", "pandas", "PIL")

    spec = synthfaces.face_spec(**shot)
    for cause, value in causes:
        spec = synthfaces.intervene(spec, **{cause: _made(cause, value)})
    _write_image(spec, size, output)
    if truth is not None:
        _write_truth(spec, size, truth)
    return 0


def _rafd(given: argparse.Namespace) -> int:
    """Write the images, or those that are missing, and say how many there are."""
    asked: dict[str, Any] = {
        "seed": synthfaces.parse_whole("seed", given.seed, 0),
        "subjects": synthfaces.parse_whole("subjects", given.subjects, 1, len(synthfaces.SUBJECTS)),
        "workers": _workers(given.workers),
        "difficulty": synthfaces.parse_difficulty(given.difficulty),
    }
    for name, values in _CHOICES.items():
        asked[f"{name}s"] = _several(name, getattr(given, f"{name}s"), values)
    need("faces", "anny", "embreex", "pandas", "PIL")

    table = synthfaces.write_rafd(given.folder, cache=paths.faces_cache(), **asked)
    print(f"{len(table)} synthetic images in the form of RaFD: {given.folder}")
    return 0


def _sheets(given: argparse.Namespace) -> int:
    """Load a source, and say where its sheets lie and how many images it has."""
    size = _size(given.size)
    check_source(given.source)
    need("faces", "cv2", "pandas", "PIL", "torchvision")
    from tinyvgg.faces.index import load_faces, write_sheets

    folder = (given.output or paths.build() / "sheets").expanduser()
    faces = load_faces(given.source, size)
    written = write_sheets(faces, folder)
    for path, reason in faces.left_out.to_numpy().tolist():
        print(f"left out: {path} {reason}")
    counts = f"{len(faces)} images on {counted(len(written), 'sheet')}"
    print(f"{counts}, {len(faces.left_out)} left out: {folder}")
    return 0


def _fetch(given: argparse.Namespace) -> int:
    """Download what is missing, and say what it may be used for."""
    check_one_of("set", given.set, ("london",))
    hashes = dict(parse_pair("hash", text, "neutral_front.zip=sha256:...") for text in given.hash)
    from tinyvgg.faces import london
    from tinyvgg.faces import sources as terms

    about = terms.terms_of("london:anywhere")
    print(f"{about.name}: {about.licence}. {about.cite}", flush=True)
    article = given.article or london.DOI
    folder = given.folder.expanduser()
    names = london.fetch_london(folder, given.all_views, hashes, article)
    print(f"{', '.join(names)}: {folder}; use them as --faces london:{folder}")
    return 0


def _several(what: str, text: str | None, values: tuple[object, ...]) -> list[object]:
    """Those of some values that were typed, with commas between them; all where none was."""
    if text is None:
        return list(values)
    named = {str(value): value for value in values}
    names = [name.strip() for name in text.split(",")]
    for name in names:
        check_one_of(what, name, tuple(named))
    return [named[name] for name in names]


def _workers(text: str | None) -> int | None:
    return None if text is None else synthfaces.parse_whole("workers", text, 1)


def _made(cause: str, value: Any) -> Any:

    makers = {"light": synthfaces.Light, "head": synthfaces.Head}
    return makers[cause](**value) if cause in makers else value


def _write_image(spec: Any, size: int, file: Path) -> None:
    from PIL import Image

    image = Image.fromarray(synthfaces.render_face(spec, size, paths.faces_cache()))
    _write(file, image.save)


def _write_truth(spec: Any, size: int, file: Path) -> None:
    import numpy as np

    arrays = synthfaces.ground_truth(spec, size, paths.faces_cache()).arrays()
    _write(file, lambda path: np.savez_compressed(path, **arrays))


def _write(file: Path, write: Callable[[Path], object]) -> None:
    try:
        paths.write_whole(file, write)
    except OSError as error:
        raise UserError(
            f"file {str(file)!r} cannot be written ({error.strerror}); name another place"
        ) from None
    print(f"written: {file}")


def _shot(given: argparse.Namespace) -> dict[str, Any]:
    """The shot of the design to start from; its own draws where it has the angle, else frontal."""
    check_one_of("emotion", given.emotion, synthfaces.EMOTIONS)
    check_one_of("gaze", given.gaze, synthfaces.GAZES)
    angle = _angle(given)
    return {
        "subject": _subject(given.subject),
        "emotion": given.emotion,
        "gaze": given.gaze,
        "angle": int(angle) if angle in synthfaces.ANGLES else _FRONTAL,
        "seed": synthfaces.parse_whole("seed", given.seed, 0),
        "difficulty": synthfaces.parse_difficulty(given.difficulty),
    }


def _causes(given: argparse.Namespace) -> list[tuple[str, Any]]:
    """What to change of it, one after the other."""
    causes: list[tuple[str, Any]] = []
    for name in _DONORS:
        if getattr(given, name) is not None:
            causes.append((name, _subject(getattr(given, name))))
    for name in _HALVES:
        if getattr(given, name) is not None:
            check_one_of(name, getattr(given, name), synthfaces.EMOTIONS)
            causes.append((name, getattr(given, name)))
    if given.set:
        causes.append(("actions", dict(synthfaces.parse_action(text) for text in given.set)))
    if given.light:
        causes.append(("light", dict(synthfaces.parse_light(text) for text in given.light)))
    if given.head:
        causes.append(("head", dict(synthfaces.parse_head(text) for text in given.head)))
    return [*causes, ("angle", _angle(given))]


def _angle(given: argparse.Namespace) -> float:
    return synthfaces.parse_real("angle", given.angle, 0, 180)


def _subject(text: str) -> int:
    number = int(text) if text.isdecimal() else text
    synthfaces.check_subject(number)
    return int(number)


def _size(text: str) -> int:
    size = synthfaces.parse_whole("size", text, 0)
    synthfaces.check_size(size)
    return size


def _file(path: Path, suffix: str) -> Path:
    place = path.expanduser()
    if place.suffix.lower() != suffix or place.is_dir():
        raise UserError(f"file {str(path)!r} does not end in {suffix}; name one that does")
    return place
