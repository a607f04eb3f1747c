"""A trained network by itself, without the images that it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tinyvgg import registry, run_folder
from tinyvgg.errors import UserError
from tinyvgg.runs import Experiment, load_model
from tinyvgg.training.sources import Scaling


@dataclass(frozen=True)
class TrainedNetwork:
    """What is needed to ask a network about images that it has never seen.

    Attributes:
        folder: of its run.
        experiment: what it was trained for.
        model: on the CPU, in evaluation mode.
        scaling: of the pixels, before the network sees them.
        manifest: versions, device, times, hashes.
    """

    folder: Path
    experiment: Experiment
    model: nn.Module = field(repr=False)
    scaling: Scaling
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """That of the run."""
        return self.folder.name

    @property
    def task(self) -> str:
        """The column that it tells."""
        return self.experiment.task

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return self.experiment.classes

    @property
    def size(self) -> int:
        """Side of its images, in pixels."""
        return self.experiment.size

    @property
    def weights_hash(self) -> str:
        """SHA-256 of the file of its weights."""
        return str(self.manifest["sha256"][run_folder.WEIGHTS])

    def tensor(self, pixels: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
        """Images as this network sees them."""
        return self.scaling(pixels)

    def label(self, name: str) -> int:
        """The label of a class by its name.

        Raises:
            UserError: no class has that name; lists those there are.
        """
        if name not in self.classes:
            raise UserError(f"class {name!r} is not one of {', '.join(self.classes)}")
        return self.classes.index(name)


def load_trained(name: str) -> TrainedNetwork:
    """The network of a complete run, found by its name or by a part that no other has.

    Raises:
        UserError: no run, or several, with that part in their names; a run that is not complete,
            damaged, or of another version.
    """
    entry = registry.find(name)
    if entry.state in (registry.TRAINING, registry.INTERRUPTED, registry.FOREIGN):
        raise UserError(
            f"run {entry.name!r} is {entry.state}; name one that is complete, of those that"
            " 'tinyvgg runs' lists"
        )
    manifest = run_folder.read_manifest(entry.folder)
    experiment = Experiment.of(entry.configuration)
    model, scaling = load_model(experiment, entry.folder, manifest)
    return TrainedNetwork(entry.folder, experiment, model, scaling, manifest)
