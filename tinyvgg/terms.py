"""What may be done with images of each source: shown, published, committed to a repository.

The standard library is all that this needs.
"""

from dataclasses import dataclass

from tinyvgg.errors import UserError
from tinyvgg.sources import FOLDER, LONDON, RAFD, SYNTHETIC, parse_source

SAYS_SYNTHETIC = "synthetic.json"
"""A file in a folder of RaFD's form that says that its faces are rendered."""


@dataclass(frozen=True)
class Terms:
    """The terms of a source.

    Attributes:
        name: what its images are called.
        licence: under which they may be used.
        cite: how they are to be cited; nothing where there is nothing to cite.
        notice: what every page that shows them says; nothing where nothing has to be said.
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
    """The terms of a source of faces.

    Raises:
        UserError: an unknown source.
    """
    source = parse_source(faces)
    if source.kind == SYNTHETIC:
        return _SYNTHETIC
    if source.kind == RAFD and (source.path / SAYS_SYNTHETIC).is_file():
        return _SYNTHETIC_IN_RAFD_FORM
    return _TERMS[source.kind]


def check_publishing(faces: str, confirmed: bool) -> None:
    """Refuse to publish what its terms do not allow, unless the user knows that she may.

    Raises:
        UserError: the terms do not allow it, and it is not confirmed.
    """
    terms = terms_of(faces)
    if not (terms.may_publish or confirmed):
        raise UserError(
            f"pages with images of {terms.name} are not published ({terms.licence}); "
            "if you have the right to, say so: --confirm"
        )


def check_committing(faces: str) -> None:
    """Refuse to commit what must not be part of the repository.

    Raises:
        UserError: it must not.
    """
    terms = terms_of(faces)
    if not terms.may_commit:
        raise UserError(
            f"pages with images of {terms.name} are not recorded ({terms.licence}): "
            f"what is committed shows {_SYNTHETIC.name} only"
        )
