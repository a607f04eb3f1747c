"""Training: the loop, its checkpoints, its watchers, and what can be told of a run meanwhile."""

from tinyvgg.extras import need

need("faces", "pandas", "safetensors", "tqdm")

from tinyvgg.settings import Recipe
from tinyvgg.training.evaluation import predict
from tinyvgg.training.history import Epoch, Trained
from tinyvgg.training.loop import Parts, order, train
from tinyvgg.training.sources import Resident, Scaling, Source, resident
from tinyvgg.training.team import Team, assemble, check_device
from tinyvgg.training.watching import Log, ProgressBar, TensorBoard, Watcher

__all__ = [
    "Epoch",
    "Log",
    "Parts",
    "ProgressBar",
    "Recipe",
    "Resident",
    "Scaling",
    "Source",
    "Team",
    "TensorBoard",
    "Trained",
    "Watcher",
    "assemble",
    "check_device",
    "order",
    "predict",
    "resident",
    "train",
]
