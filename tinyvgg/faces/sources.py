"""Sources of faces, ``KIND:PLACE::OPTION=VALUE,...``, and their terms.

This is the border to the renderer: the rest of the package imports `synthfaces` from here.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import synthfaces as synthfaces
from tinyvgg.errors import UserError

if TYPE_CHECKING:
    from tinyvgg.faces.folder import Listing

SYNTHETIC, RAFD, LONDON, FOLDER = "synthetic", "rafd", "london", "folder"
SOURCES = ("synthetic", "synthetic:KNOB=VALUE,...", "rafd:PATH", "london:PATH", "folder:PATH")
"""The forms of a source; ``::OPTION=VALUE,...`` may follow a PATH. The last ``::`` counts."""

AUTO, CENTRE, AROUND_FACES, BY_CAMERA = "auto", "centre", "faces", "camera"
FACE, HEAD = "face", "head"
SKIP, LARGEST = "skip", "largest"
ALLOW = "allow"
PIXEL_SCALE = 256.0  # what the paper's network sees a pixel of 8 bits divided by
_SEPARATOR = "::"
_UNCLEAR = (SKIP, CENTRE, LARGEST)

OPTIONS: Mapping[str, Mapping[str, tuple[str, ...] | None]] = {
    FOLDER: {
        "crop": (AUTO, CENTRE, AROUND_FACES, HEAD),
        "unclear": _UNCLEAR,
        "group": None,
        "outside": ("refuse", ALLOW),
    },
    LONDON: {"crop": (AROUND_FACES, HEAD, CENTRE, AUTO), "unclear": _UNCLEAR},
    RAFD: {"crop": (BY_CAMERA, HEAD, AROUND_FACES, CENTRE), "unclear": _UNCLEAR},
}
"""The options of photographs, by the kind of source; the first value is the default.

``crop`` makes a square of an image: ``centre`` takes the largest one in its middle, ``faces`` finds
the face and takes a square from its forehead to its chin, ``auto`` looks at a sample of the images
and decides between these two, ``camera`` takes the same square of all images of a camera. With
``head`` the square has the whole head: by camera for RaFD, else around each face. ``unclear``
decides about an image in which no face is found, or several: ``skip`` leaves it out, ``centre``
takes its middle, ``largest`` takes the largest of several faces and leaves the image out where
there is none. ``group`` is the column of a table whose images stay in one part of the split, such
as a person or a session, or ``none``; of a folder it is ``folder`` (of the same name, below the
classes) or ``name`` (what names of files begin with).
``outside=allow`` reads images that a table names outside of its own folder.
"""


def check_one_of(what: str, value: object, allowed: Sequence[object]) -> None:
    """Refuse a value that is not among some, with a `UserError` that lists them."""
    if value not in allowed:
        raise UserError(f"{what} {value!r} is not one of {', '.join(map(str, allowed))}")


def some(names: Sequence[str], most: int = 6) -> str:
    """Return the first of several names, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@dataclass(frozen=True)
class Source:
    """A source of faces, taken apart."""

    kind: str
    place: str
    """The folder of photographs, or their table; knobs of the synthetic faces."""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_synthetic(self) -> bool:
        """True if the faces are rendered, not read."""
        return self.kind == SYNTHETIC

    @property
    def path(self) -> Path:
        """The folder of the photographs, or their table."""
        return Path(os.path.expanduser(self.place))  # noqa: PTH111 - a Path raises for no user

    def option(self, name: str) -> str:
        """Return the chosen or default value of an option, empty where it has no default."""
        return self.options.get(name, (OPTIONS[self.kind][name] or ("",))[0])

    def __str__(self) -> str:
        """Write the source with the options that differ from the defaults, in a fixed order."""
        changed = ",".join(
            f"{name}={self.option(name)}"
            for name, values in OPTIONS.get(self.kind, {}).items()
            if self.option(name) != (values or ("",))[0]
        )
        text = f"{self.kind}:{self.place}" if self.place else self.kind
        return f"{text}{_SEPARATOR}{changed}" if changed or _SEPARATOR in self.place else text

    @property
    def anonymous(self) -> str:
        """The source as networks keep it: its kind and options, without any path."""
        if self.is_synthetic:
            return str(synthfaces.difficulty_of(str(self)).source)
        return str(Source(self.kind, "", self.options))


def absolute(faces: str) -> str:
    """Write a source so that it means the same from every working folder."""
    source = parse_source(faces)
    if source.is_synthetic:
        return source.anonymous
    return str(Source(source.kind, str(source.path.resolve()), source.options))


def named(faces: str) -> str:
    """Write a source as pages show it: with the name of a folder, without its place."""
    source = parse_source(faces)
    return str(source) if source.is_synthetic else f"{source.kind}:{source.path.resolve().name}"


def parse_source(text: str) -> Source:
    """Take a source apart, without looking whether its folder is there.

    Raises:
        UserError: an unknown source, option or value, or an option that is given twice.
    """
    kind, _, rest = text.partition(":")
    if kind == SYNTHETIC:
        synthfaces.difficulty_of(text)
        return Source(kind, rest)
    if "\0" in text or text != text.encode(errors="ignore").decode():
        raise UserError(f"faces {text!r} is no text that names a path; rename the file or folder")
    place, separated, chosen = rest.rpartition(_SEPARATOR)
    if not separated:
        place, chosen = chosen, ""
    if kind not in OPTIONS or not place:
        raise UserError(f"faces {text!r} is not one of {', '.join(SOURCES)}")
    return Source(kind, place, _options(kind, chosen))


def _options(kind: str, text: str) -> dict[str, str]:
    known, chosen = OPTIONS[kind], {}
    for part in text.split(",") if text else ():
        name, sign, value = part.strip().partition("=")
        if not (sign and value) or name in chosen:
            said = "is given twice" if name in chosen else "is not NAME=VALUE, such as crop=centre"
            raise UserError(f"option {part.strip()!r} of faces {kind!r} {said}")
        check_one_of(f"option of faces {kind!r}", name, tuple(known))
        check_one_of(name, value, known[name] or (value,))
        chosen[name] = value
    return chosen


def list_photographs(source: Source) -> "Listing":
    """List the photographs of a source without opening any."""
    from tinyvgg.faces import folder, london, rafd, tables  # they need this module's names

    if source.kind == FOLDER:
        group, outside = source.option("group"), source.option("outside") == ALLOW
        if source.path.suffix.lower() in (".csv", ".tsv"):
            return tables.list_table(source.path, group, outside)
        return folder.list_classes(source.path, group)
    return (rafd.list_rafd if source.kind == RAFD else london.list_london)(source.path)


def tasks_of(source: str) -> tuple[str, ...]:
    """Return the columns that a network can be trained to classify; the first is the default."""
    asked = parse_source(source)
    return ("subject", "emotion") if asked.is_synthetic else list_photographs(asked).tasks


def check_task(task: str | None, source: str) -> str:
    """Return a task of a source, its default for None; raise `UserError` for an unknown one."""
    tasks = tasks_of(source)
    if task is not None and task not in tasks:
        raise UserError(f"task {task!r} is not one of {', '.join(tasks)} of faces {source!r}")
    return task or tasks[0]


@dataclass(frozen=True)
class Terms:
    """The terms of a source: name, licence, citation and permitted use of its images."""

    name: str
    licence: str
    cite: str = ""
    notice: str = ""  # on every page that shows them
    may_publish: bool = False
    may_commit: bool = False  # pages with them, to this repository
    shows_people: bool = True  # people who can be recognised


_SYNTHETIC = Terms(
    "synthetic faces",
    "BSD 3-Clause, like the code that renders them; they show nobody",
    may_publish=True,
    may_commit=True,
    shows_people=False,
)
_SYNTHETIC_IN_RAFD_FORM = replace(
    _SYNTHETIC,
    name="synthetic faces in the form of the Radboud Faces Database",
    notice="The faces are synthetic, in the form of the Radboud Faces Database; they show nobody.",
    may_commit=False,
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
    SYNTHETIC: _SYNTHETIC,
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
    if source.kind == RAFD and (source.path / "synthetic.json").is_file():
        return _SYNTHETIC_IN_RAFD_FORM
    return _TERMS[source.kind]


def check_publishing(faces: str, confirmed: bool) -> None:
    """Refuse to publish images whose terms forbid it, unless the user confirms that she may."""
    terms = terms_of(faces)
    if not (terms.may_publish or confirmed):
        raise UserError(
            f"pages with images of {terms.name} are not published ({terms.licence}); "
            "if you have the right to, say so: --confirm"
        )
