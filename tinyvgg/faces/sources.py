"""Sources of faces: ``KIND:PLACE::OPTION=VALUE,...``, their terms, and what a study asks of them.

This is the border to the renderer: the rest of the package imports `synthfaces` from here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import synthfaces as synthfaces
from tinyvgg.errors import UserError

if TYPE_CHECKING:
    from tinyvgg.faces.folder import Listing

SYNTHETIC, RAFD, LONDON, FOLDER = "synthetic", "rafd", "london", "folder"
SOURCES = ("synthetic", "synthetic:KNOB=VALUE,...", "rafd:PATH", "london:PATH", "folder:PATH")
"""What can be typed; behind a PATH ``::OPTION=VALUE,...`` may follow, or ``::`` alone.

The last ``::`` counts: a PATH that has one itself is followed by another.
"""

AUTO, CENTRE, AROUND_FACES, BY_CAMERA = "auto", "centre", "faces", "camera"
SKIP, LARGEST = "skip", "largest"
_SEPARATOR = "::"
_UNCLEAR = (SKIP, CENTRE, LARGEST)

OPTIONS: Mapping[str, Mapping[str, tuple[str, ...] | None]] = MappingProxyType(
    {
        FOLDER: {"crop": (AUTO, CENTRE, AROUND_FACES), "unclear": _UNCLEAR},
        LONDON: {"crop": (AROUND_FACES, CENTRE, AUTO), "unclear": _UNCLEAR},
        RAFD: {"crop": (BY_CAMERA, AROUND_FACES, CENTRE), "unclear": _UNCLEAR, "boxes": None},
    }
)
"""What can be chosen of photographs, by the kind of source; the first value is the default.

``crop`` is how an image becomes a square: ``centre`` takes the largest one in its middle,
``faces`` finds the face and takes what is around its eyes, ``auto`` looks at a sample of the
images and decides between these two, ``camera`` takes the same square of all images of a camera.
``unclear`` is what becomes of an image in which no face is found, or several: ``skip`` leaves it
out, ``centre`` takes its middle, ``largest`` takes the largest of several faces and leaves the
image out where there is none. ``boxes`` is a CSV file with the square of each camera.
"""

PROFILE_NAMES = ("smoke", "quick", "paper")
SYNTHETIC_TASKS = ("subject", "emotion")
DEVICES = ("cuda", "mps", "cpu")
DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {"profile": "quick", "faces": "synthetic", "seed": 0}
)
Parameters = dict[str, Any]


def check_one_of(what: str, value: object, allowed: Sequence[object]) -> None:
    """Refuse a value that is not among some, with a `UserError` that lists them."""
    if value not in allowed:
        raise UserError(f"{what} {value!r} is not one of {', '.join(map(str, allowed))}")


@dataclass(frozen=True)
class Source:
    """A source of faces, taken apart.

    Attributes:
        kind: ``synthetic``, ``rafd``, ``london`` or ``folder``.
        place: the folder of photographs, or their table; knobs of the synthetic faces.
        options: those of `OPTIONS` that were chosen.
    """

    kind: str
    place: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_synthetic(self) -> bool:
        """Whether the faces are rendered, not read."""
        return self.kind == SYNTHETIC

    @property
    def path(self) -> Path:
        """The folder of the photographs, or their table."""
        return Path(self.place).expanduser()

    @property
    def is_table(self) -> bool:
        """Whether photographs are listed in a table."""
        return self.kind == FOLDER and self.path.suffix.lower() == ".csv"

    def option(self, name: str) -> str:
        """Return the chosen or default value of an option, empty where it has no default."""
        allowed = OPTIONS[self.kind][name]
        return self.options.get(name, allowed[0] if allowed else "")

    @property
    def changed(self) -> str:
        """The options that differ from the defaults, always written in the same order."""
        chosen = (
            f"{name}={self.options[name]}"
            for name, allowed in OPTIONS.get(self.kind, {}).items()
            if name in self.options and self.options[name] != (allowed or ("",))[0]
        )
        return ",".join(chosen)

    def __str__(self) -> str:
        text = f"{self.kind}:{self.place}" if self.place else self.kind
        needed = self.changed or _SEPARATOR in self.place
        return f"{text}{_SEPARATOR}{self.changed}" if needed else text

    @property
    def absolute(self) -> str:
        """The source written so that it means the same from every working folder."""
        if self.is_synthetic:
            return str(synthfaces.difficulty_of(str(self)).source)
        options = dict(self.options)
        if options.get("boxes"):
            options["boxes"] = str(Path(options["boxes"]).expanduser().resolve())
        return str(Source(self.kind, str(self.path.resolve()), options))

    @property
    def named(self) -> str:
        """The source as pages show it: with the name of a folder, without its place."""
        return str(self) if self.is_synthetic else f"{self.kind}:{self.path.resolve().name}"

    @property
    def anonymous(self) -> str:
        """What is kept of the source with a network: its kind and options, without any path."""
        if self.is_synthetic:
            return str(synthfaces.difficulty_of(str(self)).source)
        chosen = Source(self.kind, "", {k: v for k, v in self.options.items() if k != "boxes"})
        return f"{self.kind}{_SEPARATOR}{chosen.changed}" if chosen.changed else self.kind


def kind_of(text: str) -> str:
    """Return the kind of a source as it is typed, or as it is kept with a network."""
    return text.partition(":")[0]


def absolute(faces: str) -> str:
    """Write a source so that it means the same from every working folder."""
    return parse_source(faces).absolute


def named(faces: str) -> str:
    """Write a source as pages show it: with the name of a folder, without its place."""
    return parse_source(faces).named


def parse_source(text: str) -> Source:
    """Take a source apart, without looking whether its folder is there.

    Raises:
        UserError: an unknown source, an option that does not exist or is given twice, or a value
            that an option or a knob of the synthetic faces cannot have.
    """
    kind, _, rest = text.partition(":")
    if kind == SYNTHETIC:
        synthfaces.difficulty_of(text)
        return Source(kind, rest)
    place, separated, chosen = rest.rpartition(_SEPARATOR)
    if not separated:
        place, chosen = chosen, ""
    _check_place(f"faces {text!r}", place)
    if kind not in OPTIONS or not place:
        raise UserError(f"faces {text!r} is not one of {', '.join(SOURCES)}")
    return Source(kind, place, _options(kind, chosen))


def _check_place(what: str, place: str) -> None:
    """Refuse a path that cannot be written down, or begins at the home of nobody."""
    try:
        place.encode()
        Path(place).expanduser()
    except UnicodeEncodeError:
        raise UserError(f"{what} has a place that is not UTF-8; rename the folder") from None
    except RuntimeError:
        raise UserError(f"{what} begins with a home that is not known; write it out") from None


def _options(kind: str, text: str) -> dict[str, str]:
    known, chosen = OPTIONS[kind], {}
    for part in text.split(",") if text else ():
        name, sign, value = part.strip().partition("=")
        if not sign:
            raise UserError(f"option {part.strip()!r} is not NAME=VALUE, such as crop=centre")
        check_one_of(f"option of faces {kind!r}", name, tuple(known))
        if name in chosen:
            raise UserError(f"option {name!r} of faces {kind!r} is given twice; give one value")
        allowed = known[name]
        if allowed is not None:
            check_one_of(name, value, allowed)
        elif not value:
            raise UserError(f"{name} '' of faces {kind!r} is no file; give one, or leave it out")
        _check_place(f"{name} {value!r}", value)
        chosen[name] = value
    return chosen


def list_photographs(source: Source) -> "Listing":
    """List the photographs of a source without opening any."""
    from tinyvgg.faces import folder, london, rafd  # they need this module's names

    if source.is_table:
        return folder.list_table(source.path)
    readers = {RAFD: rafd.list_rafd, LONDON: london.list_london, FOLDER: folder.list_classes}
    return readers[source.kind](source.path)


def check_source(source: str) -> None:
    """Refuse a source that cannot be loaded: see `parse_source` and `list_photographs`."""
    tasks_of(source)


def check_study(profile: str, faces: str, seed: object) -> None:
    """Refuse parameters that no study can be opened with."""
    check_one_of("profile", profile, PROFILE_NAMES)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"seed {seed!r} is not a whole number from 0 on")
    check_source(faces)


def tasks_of(source: str) -> tuple[str, ...]:
    """Return what a network can be trained to classify; the first task is the default."""
    asked = parse_source(source)
    return SYNTHETIC_TASKS if asked.is_synthetic else list_photographs(asked).tasks


def check_task(task: str | None, source: str) -> str:
    """Return a task of a source, its default for None; raise `UserError` for an unknown one."""
    tasks = tasks_of(source)
    if task is not None and task not in tasks:
        raise UserError(f"task {task!r} is not one of {', '.join(tasks)} of faces {source!r}")
    return task or tasks[0]


def check_device(device: str | None) -> str | None:
    """Refuse an unknown kind of device; whether this machine has it is not looked at."""
    if device is not None:
        check_one_of("device", device.partition(":")[0], DEVICES)
    return device


def check(parameters: Mapping[str, Any]) -> Parameters:
    """Refuse values that no study can be opened with; return them with an absolute source."""
    profile, faces, seed = (parameters[name] for name in DEFAULTS)
    check_study(profile, faces, seed)
    return {**parameters, "faces": absolute(faces)}


def parse(pairs: Iterable[tuple[str, str]], known: Mapping[str, Any], name: str) -> Parameters:
    """Convert values to the types of the defaults of the named notebook's parameters."""
    parsed: Parameters = {}
    for key, value in pairs:
        if key not in known:
            names = ", ".join(known) or "none"
            raise UserError(f"parameter {key!r} of {name} is not one of {names}")
        whole = isinstance(known[key], int)
        if whole and not value.removeprefix("-").isdecimal():
            raise UserError(f"{key} {value!r} is not a whole number, such as {known[key]}")
        parsed[key] = int(value) if whole else value
    return parsed


SAYS_SYNTHETIC = "synthetic.json"
"""A file in a folder of RaFD's form that says that its faces are rendered."""


@dataclass(frozen=True)
class Terms:
    """The terms of a source: how its images are called, licensed, cited and may be used.

    Attributes:
        notice: what every page that shows them says; empty where nothing has to be said.
        may_publish: whether pages with them may be published.
        may_commit: whether pages with them may be part of this repository.
        shows_people: whether persons can be recognised in them.
    """

    name: str
    licence: str
    cite: str = ""
    notice: str = ""
    may_publish: bool = False
    may_commit: bool = False
    shows_people: bool = True


_SYNTHETIC = Terms(
    "synthetic faces",
    "BSD 3-Clause, like the code that renders them; they show nobody",
    may_publish=True,
    may_commit=True,
    shows_people=False,
)
_SYNTHETIC_IN_RAFD_FORM = Terms(
    "synthetic faces in the form of the Radboud Faces Database",
    _SYNTHETIC.licence,
    notice="The faces are synthetic, in the form of the Radboud Faces Database; they show nobody.",
    may_publish=True,
    shows_people=False,
)
_LANGNER = (
    "Langner, O., Dotsch, R., Bijlstra, G., Wigboldus, D. H. J., Hawk, S. T., & van Knippenberg, "
    "A. (2010). Presentation and validation of the Radboud Faces Database. Cognition & Emotion, "
    "24(8), 1377–1388. https://doi.org/10.1080/02699930903485076"
)
_DEBRUINE = (
    "DeBruine, L., & Jones, B. (2017). Face Research Lab London Set. figshare. "
    "https://doi.org/10.6084/m9.figshare.5047666"
)
_TERMS = {
    RAFD: Terms(
        "the Radboud Faces Database",
        "lent for research to those who signed its agreement",
        _LANGNER,
        "These pages show images of the Radboud Faces Database, which are lent for research and "
        "may not be passed on. They are for whoever signed its agreement, and are not to be "
        f"published beyond what that agreement allows. {_LANGNER}",
    ),
    LONDON: Terms(
        "the Face Research Lab London Set",
        "CC BY 4.0",
        _DEBRUINE,
        "The photographs are those of the Face Research Lab London Set, cropped and scaled down, "
        f"under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). {_DEBRUINE}",
        may_publish=True,
    ),
    FOLDER: Terms(
        "photographs of your own",
        "not known here",
        notice="The photographs are the user's own. Whoever passes these pages on needs the right "
        "to, and the consent of the persons shown.",
    ),
}


def terms_of(faces: str) -> Terms:
    """Return the terms of a source of faces."""
    source = parse_source(faces)
    if source.kind == SYNTHETIC:
        return _SYNTHETIC
    if source.kind == RAFD and (source.path / SAYS_SYNTHETIC).is_file():
        return _SYNTHETIC_IN_RAFD_FORM
    return _TERMS[source.kind]


def check_publishing(faces: str, confirmed: bool) -> None:
    """Refuse to publish what its terms do not allow, unless the user confirms that she may."""
    terms = terms_of(faces)
    if not (terms.may_publish or confirmed):
        raise UserError(
            f"pages with images of {terms.name} are not published ({terms.licence}); "
            "if you have the right to, say so: --confirm"
        )


def check_committing(faces: str) -> None:
    """Refuse to commit what must not be part of the repository."""
    terms = terms_of(faces)
    if not terms.may_commit:
        raise UserError(
            f"pages with images of {terms.name} are not recorded ({terms.licence}): "
            f"what is committed shows {_SYNTHETIC.name} only"
        )
