"""The static explorer of faces: an album in a piece of HTML, without kernel and network."""

import json
from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import Any

from tinyvgg.errors import UserError
from tinyvgg.faces.synthetic import FacePart
from tinyvgg.faces.synthetic.design import person
from tinyvgg.figures.interventions import PART_COLOURS, RAMP, TINT, part_colour
from tinyvgg.findings.interventions import Seen, compare, part_name
from tinyvgg.widgets.album import Album
from tinyvgg.widgets.causes import Cause
from tinyvgg.widgets.face_page import PAGE
from tinyvgg.widgets.layers import pack, pack_steps
from tinyvgg.widgets.static import NAME, StaticExplorer

ENLARGED = 4
"""Pixels of a canvas for each of an image, across and down."""
LIMIT = 2_000_000
"""Characters of HTML that an explorer of faces may have."""


def static_faces(album: Album, name: str) -> StaticExplorer:
    """An explorer of an album, whose every image is kept to the byte.

    Args:
        album: a few subjects and causes.
        name: ids in the HTML begin with it; different ones on one page need different names.

    Raises:
        UserError: a name that is no id, or more images than a page should hold.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"name {name!r} is no id: use lower-case letters, digits and hyphens")
    html = _page(f"faces-{name}", album)
    if len(html) > LIMIT:
        raise UserError(
            f"{album!r} makes {len(html):,} characters of HTML and {LIMIT:,} are allowed: "
            "give fewer subjects or causes, or a smaller size"
        )
    return StaticExplorer(html, "an explorer of synthetic faces, in HTML")


def title(subject: int) -> str:
    """A subject in a few words."""
    who = person(subject)
    kind = {
        (False, True): "man",
        (False, False): "woman",
        (True, True): "boy",
        (True, False): "girl",
    }[who.is_child, who.is_male]
    return f"{kind} (subject {subject})"


def _page(id: str, album: Album) -> str:
    data = {
        "size": album.size,
        "tint": TINT,
        "ramp": RAMP.tolist(),
        "colours": [list(PART_COLOURS[part]) for part in FacePart],
        "parts": [part_name(part) for part in FacePart],
        "causes": [_cause(cause) for cause in album.causes],
        "people": [_person(album, subject) for subject in album.subjects],
    }
    return PAGE.substitute(
        id=id,
        side=ENLARGED * album.size,
        people=_people(id, album),
        sliders=_sliders(id, album.causes),
        rows=_rows(),
        fallback="This explorer needs JavaScript.",
        data=json.dumps(data, separators=(",", ":")).replace("</", "<\\/"),
    )


def _cause(cause: Cause) -> dict[str, Any]:
    places = range(len(cause.values))
    return {
        "name": cause.name,
        "label": cause.label,
        "rest": cause.rest,
        "texts": [cause.text(place) for place in places],
    }


def _person(album: Album, subject: int) -> dict[str, Any]:
    rest = album.at_rest(subject)
    return {
        "title": title(subject),
        "rest": pack(rest),
        "pixels": compare(rest, rest).pixels.tolist(),
        "steps": [_steps(album, subject, cause, rest) for cause in album.causes],
    }


def _steps(album: Album, subject: int, cause: Cause, rest: Seen) -> dict[str, Any]:
    steps = [album.changed(subject, cause, place) for place in range(len(cause.values))]
    changes = [compare(rest, step) for step in steps]
    return {
        "packed": pack_steps(steps, cause.rest),
        "changed": [change.changed.tolist() for change in changes],
        "most": [change.most.tolist() for change in changes],
    }


def _people(id: str, album: Album) -> str:
    return "\n".join(
        f'<label><input type="radio" name="{id}-person" id="{id}-person-{place}" value="{place}"'
        f"{' checked' if place == 0 else ''}> {escape(title(subject))}</label>"
        for place, subject in enumerate(album.subjects)
    )


def _sliders(id: str, causes: Iterable[Cause]) -> str:
    """The sliders of all causes, in a frame for each group of those that follow each other."""
    return "\n".join(
        f"<fieldset><legend>{escape(group)}</legend>\n"
        + "\n".join(_slider(id, cause) for cause in members)
        + "\n</fieldset>"
        for group, members in groupby(causes, key=lambda cause: cause.group)
    )


def _slider(id: str, cause: Cause) -> str:
    own, text = f"{id}-{cause.name}", escape(cause.text(cause.rest))
    return (
        f'<div class="cause"><label for="{own}">{escape(cause.label)}</label>'
        f'<output for="{own}" id="{own}-text">{text}</output>'
        f'<input type="range" id="{own}" name="{cause.name}" min="0" step="1"'
        f' max="{len(cause.values) - 1}" value="{cause.rest}" aria-valuetext="{text}"></div>'
    )


def _rows() -> str:
    """One row a part of the face, with its colour."""
    return "\n".join(
        f'<tr><th scope="row"><span class="swatch" style="background:{part_colour(part)}"'
        f' aria-hidden="true"></span>{part_name(part)}</th>'
        '<td></td><td></td><td></td><td class="bar" aria-hidden="true"><div></div></td></tr>'
        for part in FacePart
    )
