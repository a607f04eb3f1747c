"""Every photograph of a list, looked at once: on all processors, and going on where it was."""

import hashlib
import os
import queue
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor
from tqdm.auto import tqdm

from tinyvgg.faces.cropping import Cropping
from tinyvgg.faces.detection import Detector, Face, fingerprint, new_detector
from tinyvgg.faces.folder import LeftOut, Listing, Photograph
from tinyvgg.faces.images import (
    Content,
    Crop,
    Facts,
    Known,
    Stamp,
    Unusable,
    UnusableNow,
    content_of,
    cut,
    upright,
)
from tinyvgg.faces.images import decoding_Pixels as Pixels
from tinyvgg.faces.sources import synthfaces

SAVE_SECONDS = 2.0
"""After how long what was found is written down."""

_MOST = 2**63
"""Nanoseconds that a data base takes; some files say that they are from later centuries."""

Image = UInt8[np.ndarray, "s s 3"]
Take = Callable[[int, "Look"], None]
"""What is done with an image, by its place in the list, while its pixels are there."""


@dataclass
class Look:
    """One photograph while it is looked at: nothing of it is read twice, and nothing in vain.

    Attributes:
        path: of the file.
        facts: what is known of it.
    """

    path: Path
    facts: Facts
    _content: Content | None = field(default=None, repr=False)
    _pixels: Pixels | None = field(default=None, repr=False)

    def content(self) -> Content:
        """Its bytes.

        Raises:
            Unusable: they cannot be read, or are not those any more that the facts are of.
        """
        if self._content is None:
            content = content_of(self.path)
            if self.facts.sha256 and self.facts.sha256 != _sha256(content):
                raise UnusableNow("was changed while it was read")
            self._content = content
        return self._content

    def pixels(self) -> Pixels:
        """It as upright RGB.

        Raises:
            Unusable: it cannot be decoded.
        """
        if self._pixels is None:
            self._pixels = upright(self.content())
        return self._pixels

    def cut(self, crop: Crop, size: int) -> Image:
        """A part of it.

        Raises:
            Unusable: it cannot be decoded.
        """
        return cut(self.pixels(), crop, size)


@dataclass
class Looker:
    """Looks at photographs of one folder.

    Attributes:
        folder: that paths start from.
        known: what was found before, and where it is kept.
        progress: whether to show progress bars.
    """

    folder: Path
    known: Known
    progress: bool = True
    _facts: dict[str, Facts] = field(default_factory=dict)
    _new: set[str] = field(default_factory=set)
    _own: threading.local = field(default_factory=threading.local)

    def __post_init__(self) -> None:
        self._facts = self.known.read()

    def look(
        self,
        photographs: Sequence[Photograph],
        faces: bool = False,
        take: Take | None = None,
        title: str = "",
    ) -> list[Facts]:
        """What is to be known of photographs, in their order.

        Args:
            photographs: in the folder.
            faces: whether faces are looked for.
            take: is called with each that has no fault; what it raises as `Unusable` becomes the
                fault of this look, and is not kept.
            title: of the progress bar; there is none without.
        """
        found: list[Facts] = [Facts(Stamp())] * len(photographs)
        detector = fingerprint() if faces else ""
        with _quiet(), one_thread_each() as pool:
            tasks = {
                pool.submit(self._one, place, photograph, detector, take): place
                for place, photograph in enumerate(photographs)
            }
            bar = tqdm(
                total=len(tasks), desc=title, unit="image", disable=not (self.progress and title)
            )
            with bar, _cancelled(tasks):
                for batch in _finished(tasks):
                    for task in batch:
                        found[tasks[task]] = task.result()
                    bar.update(len(batch))
                    self._keep(photographs[tasks[task]] for task in batch)
        return found

    def _one(self, place: int, photograph: Photograph, detector: str, take: Take | None) -> Facts:
        stamp = self._stamp(photograph)
        before = self._facts.get(photograph.path, Facts(stamp))
        look = Look(
            self.folder / photograph.path, before if before.stamp == stamp else Facts(stamp)
        )
        try:
            self._complete(look, before, detector)
        except UnusableNow as error:
            look.facts = Facts(stamp, fault=str(error))
        except Unusable as error:
            if not look.facts.fault:
                look.facts = replace(look.facts, fault=str(error))
        if look.facts is not before:
            self._facts[photograph.path] = look.facts
            self._new.add(photograph.path)
        if take is None or look.facts.fault:
            return look.facts
        try:
            take(place, look)
        except Unusable as error:
            return replace(look.facts, fault=str(error))
        return look.facts

    def _stamp(self, photograph: Photograph) -> Stamp:
        try:
            facts = os.stat(self.folder / photograph.path)  # noqa: PTH116 - a Path costs as much
        except (OSError, ValueError):
            return Stamp()
        return Stamp(facts.st_size, facts.st_mtime_ns % _MOST, facts.st_ctime_ns % _MOST)

    def _complete(self, look: Look, before: Facts, detector: str) -> None:
        """Find out what is not known yet.

        Args:
            look: at a file.
            before: what was known of it, or of what it held then.
            detector: that looks for faces; nothing for none.
        """
        stamp = look.facts.stamp
        if not look.facts.sha256:
            digest = _sha256(look.content())
            same = digest == before.sha256
            look.facts = replace(before, stamp=stamp) if same else Facts(stamp, digest)
        if look.facts.fault:
            raise Unusable(look.facts.fault)
        if not look.facts.height:
            height, width = look.pixels().shape[1:]
            look.facts = replace(look.facts, height=height, width=width)
        if detector and look.facts.detector != detector:
            faces = tuple(self._detect(look.pixels()))
            look.facts = replace(look.facts, detector=detector, faces=faces)

    def _detect(self, pixels: Pixels) -> list[Face]:
        """Each thread has a detector of its own."""
        if not hasattr(self._own, "detect"):
            self._own.detect = new_detector()
        detect: Detector = self._own.detect
        return detect(pixels.permute(1, 2, 0).contiguous().numpy())

    def _keep(self, photographs: Iterator[Photograph]) -> None:
        """Write down what is new; a file that may not be read now may be another time."""
        found = {one.path: self._facts[one.path] for one in photographs if one.path in self._new}
        self._new.difference_update(found)
        new = {path: facts for path, facts in found.items() if facts.sha256}
        if new:
            self.known.write(new)


def _sha256(content: Content) -> str:
    return hashlib.sha256(content.data).hexdigest()


@contextmanager
def one_thread_each() -> Iterator[ThreadPoolExecutor]:
    """As many threads as processors, each of which does its work alone.

    Decoding, resizing and detection release the interpreter's lock.
    """
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(
            synthfaces.cores(), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what decoders warn of: what is wrong with a photograph is listed with its reason."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


@contextmanager
def _cancelled(tasks: "dict[Future[Facts], int]") -> Iterator[None]:
    """Let nothing begin any more once there was an interruption."""
    try:
        yield
    except BaseException:
        for task in tasks:
            task.cancel()
        raise


def _finished(tasks: "dict[Future[Facts], int]") -> "Iterator[list[Future[Facts]]]":
    """The tasks as they are done, those of a few seconds together."""
    done: queue.SimpleQueue[Future[Facts]] = queue.SimpleQueue()
    for task in tasks:
        task.add_done_callback(done.put)
    left = len(tasks)
    while left:
        batch = [done.get()]
        until = time.monotonic() + SAVE_SECONDS
        while len(batch) < left and (seconds := until - time.monotonic()) > 0:
            with suppress(queue.Empty):
                batch.append(done.get(timeout=seconds))
        left -= len(batch)
        yield batch


LARGEST = 400
"""Height of a whole photograph that is shown, in pixels: none is ever shown at its full size."""


class Seen(NamedTuple):
    """A whole photograph, scaled down, and the part of it that is used, in its pixels."""

    image: UInt8[np.ndarray, "h w 3"]
    crop: Crop


@dataclass(frozen=True)
class Originals:
    """The photographs of a source.

    Attributes:
        listing: of all that are there.
        cropping: how they are cropped.
        left_out: those that are not used: columns path and reason.
        looker: looks at them.
    """

    listing: Listing
    cropping: Cropping
    left_out: pd.DataFrame
    looker: Looker

    @property
    def all(self) -> tuple[Photograph, ...]:
        """Those that networks learn from, and those of the source's design beyond."""
        return (*self.listing.photographs, *self.listing.beyond)

    @property
    def plain(self) -> dict[str, Any]:
        """How they are cropped, what is left out and what is missing, as plain data."""
        return {
            "cropping": self.cropping.plain,
            "left_out": self.left_out.to_dict("records"),
            "missing": list(self.listing.missing),
        }

    def shots(self) -> pd.DataFrame:
        """What is known of all of them, a row each."""
        return pd.DataFrame([{"path": one.path, **one.known} for one in self.all])

    def crops(self, paths: Sequence[str]) -> list[Crop | None]:
        """The part of each photograph that is used; None of one that cannot be used."""
        by_path = {one.path: one for one in self.all}
        photographs = [by_path[path] for path in paths]
        facts = self.looker.look(photographs, self.cropping.looks_for_faces)
        return [self._crop(one, known) for one, known in zip(photographs, facts, strict=True)]

    def portraits(self, paths: Sequence[str], size: int) -> UInt8[np.ndarray, "n s s 3"]:
        """Photographs cropped as the networks see them, at another size; white where unusable."""
        images = np.full((len(paths), size, size, 3), 255, np.uint8)
        for place, (path, crop) in enumerate(zip(paths, self.crops(paths), strict=True)):
            pixels = self._pixels(path)
            if crop is not None and pixels is not None:
                images[place] = cut(pixels, crop, size)
        return images

    def seen(self, paths: Sequence[str], height: int) -> list[Seen]:
        """Whole photographs, scaled down, with the part that is used; unusable ones are not there.

        Args:
            paths: of the photographs.
            height: of each, in pixels; no more than `LARGEST`.
        """
        found = []
        for path, crop in zip(paths, self.crops(paths), strict=True):
            pixels = self._pixels(path)
            if crop is not None and pixels is not None:
                zoom = min(height, LARGEST) / pixels.shape[1]
                found.append(Seen(_scaled(pixels, zoom), _zoomed(crop, zoom)))
        return found

    def _pixels(self, path: str) -> Pixels | None:
        """A whole photograph; None where it cannot be used any more."""
        try:
            return upright(content_of(self.listing.folder / path))
        except Unusable:
            return None

    def _crop(self, photograph: Photograph, facts: Facts) -> Crop | None:
        try:
            return None if facts.fault else self.cropping.crop(photograph.known, facts)
        except Unusable:
            return None


def _scaled(pixels: UInt8[Tensor, "3 h w"], zoom: float) -> UInt8[np.ndarray, "_ _ 3"]:
    shape = [max(1, round(side * zoom)) for side in pixels.shape[1:]]
    resized = F.interpolate(pixels[None], shape, mode="bicubic", antialias=True)
    return resized[0].permute(1, 2, 0).contiguous().numpy()


def _zoomed(crop: Crop, zoom: float) -> Crop:
    return Crop(zoom * crop.x, zoom * crop.y, zoom * crop.side, crop.turn)


def as_table(left_out: Sequence[LeftOut]) -> pd.DataFrame:
    """Files that are not used, sorted by path."""
    return pd.DataFrame(sorted(left_out), columns=["path", "reason"])
