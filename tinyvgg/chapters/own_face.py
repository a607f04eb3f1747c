"""Chapter 12: a synthetic face whose causes change one at a time, and the pixels that follow."""

import base64
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from IPython.display import HTML
from jaxtyping import UInt8
from jinja2.utils import htmlsafe_json_dumps

from tinyvgg.chapters import style
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import synthfaces
from tinyvgg.training.settings import Profile

Cause = synthfaces.Cause
Shot = synthfaces.FaceSpec
Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, eq=False)
class Seen:
    """A shot as it is rendered, and the `FacePart` of each pixel by its number."""

    spec: Shot
    image: UInt8[np.ndarray, "s s 3"]
    parts: UInt8[np.ndarray, "s s"]

    def change(self, after: "Seen") -> synthfaces.Change:
        """Compare it with another shot's image of the same size."""
        return synthfaces.compare(self.image, after.image, self.parts)


@lru_cache(maxsize=32)
def see(spec: Shot, size: int) -> Seen:
    """Render a shot, and find the part of the face that each pixel shows; keep the latest."""
    return Seen(spec, *synthfaces.render_with_parts(spec, size))


TINT = 0.5
"""Share of a part's colour in the picture of the parts."""
_HEX = "#ffffff #6e4b32 #969696 #cc79a7 #f0e442 #e69f00 #009e73 #56b4e9 #cc3311 #0072b2 #3c145a"
PART_COLOURS = dict(zip(synthfaces.FacePart, _HEX.split(), strict=True))
"""The colour of each part, mostly Okabe and Ito's."""
COLOURS = np.array([list(bytes.fromhex(colour[1:])) for colour in _HEX.split()], np.uint8)
"""The same by number of the part, 0 to 255."""

_FAINT, _STRONG = np.array([[205, 226, 243], [8, 29, 88]])
_SHARE = np.sqrt(np.arange(256) / 255)[:, None]
RAMP = np.round(_FAINT + _SHARE * (_STRONG - _FAINT)).astype(np.uint8)
RAMP[0] = 255
"""The colour of a difference by its levels: white for none, pale blue for one."""


def parts_picture(image: Picture, parts: UInt8[np.ndarray, "h w"]) -> Picture:
    """Tint an image by the parts of the face that it shows."""
    return np.asarray(np.round((1 - TINT) * image + TINT * COLOURS[parts]), dtype=np.uint8)


_SHOWN = ["mouthSmile", "jawOpen", "noseSneer", "mouthPucker", "cheekPuff", "browUp", "browDown"]
_SHOWN += ["eyeWide", "eyeBlink", "gaze", "head", "turn", "dome", "angle"]
OFFERED: Mapping[str, Cause] = {
    **{name: synthfaces.CAUSES[name] for name in _SHOWN},
    "expression": synthfaces.EXPRESSION,
}
"""The causes that the static explorer offers."""


@dataclass(frozen=True)
class Album:
    """Square images of subjects, by RaFD's numbers, at rest and with one cause changed."""

    subjects: tuple[int, ...]
    size: int
    causes: Mapping[str, Cause]

    def at_rest(self, subject: int) -> Seen:
        """Return a subject who does nothing, from the front, in the light of the set."""
        return see(Shot(subject), self.size)

    def changed(self, subject: int, cause: Cause, place: int) -> Seen:
        """Return the subject at rest but for one cause at the value in a place."""
        return see(cause.spec(Shot(subject), place), self.size)


def album(profile: Profile) -> Album:
    """Return the album of a woman, a man and a girl, a small one where the profile is for tests."""
    if profile.subjects is None:
        return Album((1, 9, 4), profile.size, OFFERED)
    return Album((1,), profile.size, {name: cause.coarse() for name, cause in OFFERED.items()})


def static_faces(album: Album, name: str, task: str = "") -> HTML:
    """Return an explorer of an album that needs no kernel; every image is kept to the byte.

    Explorers of different names fit on one page. In a site, the network of a task answers to each
    face; the faces have to be of its size.

    Raises:
        UserError: a name that is no id.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise UserError(f"name {name!r} is no id: use lower-case letters, digits and hyphens")
    data = {
        "size": album.size,
        "tint": TINT,
        "ramp": RAMP.tolist(),
        "colours": COLOURS.tolist(),
        "causes": [
            {
                "name": name,
                "label": cause.label,
                "rest": cause.rest,
                "texts": [cause.text(place) for place in range(len(cause.values))],
            }
            for name, cause in album.causes.items()
        ],
        "people": [_person(album, subject) for subject in album.subjects],
    }
    groups = groupby(album.causes.items(), key=lambda item: item[1].group)
    html = style.TEMPLATES.get_template("faces.html.j2").render(
        id=f"faces-{name}",
        json=htmlsafe_json_dumps(data, separators=(",", ":")),
        task=task,
        side=4 * album.size,  # of the canvases, in pixels
        titles=[title(subject) for subject in album.subjects],
        groups=[(group, list(members)) for group, members in groups],
        parts=[(part.name.lower(), PART_COLOURS[part]) for part in synthfaces.FacePart],
    )
    return HTML(html)


def title(subject: int) -> str:
    """Return a subject in a few words."""
    who = synthfaces.person(subject)
    names = ("woman", "man", "girl", "boy")
    return f"{names[2 * who.is_child + who.is_male]} (subject {subject})"


def _person(album: Album, subject: int) -> dict[str, Any]:
    rest = album.at_rest(subject)

    def steps(cause: Cause) -> dict[str, Any]:
        shots = [album.changed(subject, cause, place) for place in range(len(cause.values))]
        changes = [rest.change(shot) for shot in shots]
        return {
            "packed": pack_steps(shots, cause.rest),
            "changed": [change.changed.tolist() for change in changes],
            "most": [change.most.tolist() for change in changes],
        }

    return {
        "title": title(subject),
        "rest": pack(rest),
        "pixels": rest.change(rest).pixels.tolist(),
        "steps": [steps(cause) for cause in album.causes.values()],
    }


def pack(seen: Seen) -> str:
    """Pack one image with its parts."""
    return _packed(_layers(seen))


def pack_steps(steps: Sequence[Seen], rest: int) -> str:
    """Pack the images of all values of a cause but rest as differences from those next to them.

    They go from rest to the last value, and then from rest to the first.
    """
    layers = np.stack([_layers(step) for step in steps])
    up, down = np.diff(layers[rest:], axis=0), np.diff(layers[rest::-1], axis=0)
    return _packed(np.concatenate([up, down]))


def _layers(seen: Seen) -> UInt8[np.ndarray, "4 s s"]:
    red, green, blue = np.moveaxis(seen.image, -1, 0)
    return np.stack([red - green, green, blue - green, seen.parts])


def _packed(layers: UInt8[np.ndarray, "*n 4 s s"]) -> str:
    return base64.b64encode(zlib.compress(layers.tobytes(), 9)).decode("ascii")
