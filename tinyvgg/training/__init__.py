"""Training: the loop, its checkpoints, its watchers, and what can be told of a run meanwhile."""

from tinyvgg.extras import need

need("faces", "pandas", "safetensors", "tqdm")

from tinyvgg.settings import Recipe
from tinyvgg.training.evaluation import predict
from tinyvgg.training.history import Epoch, Trained
from tinyvgg.training.loop import Parts, order, train
from tinyvgg.training.sources import Resident, Scaling, Source, open_source, resident
from tinyvgg.training.streaming import Streamed
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
    "Streamed",
    "Team",
    "TensorBoard",
    "Trained",
    "Watcher",
    "assemble",
    "check_device",
    "open_source",
    "order",
    "predict",
    "resident",
    "train",
]
