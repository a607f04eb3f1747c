"""What was measured on several networks, which differ in nothing but their seed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from tinyvgg import files
from tinyvgg.training.experiments import Study

LEAST = 5
"""Networks that a verdict takes."""
OF_A_SEED = ("faces", "fingerprint", "profile", "seed", "runs", "made_with")
COLUMNS = [*OF_A_SEED[:4], "quantity", "value", "error", *OF_A_SEED[4:]]
"""The columns of a table of networks."""


@dataclass(frozen=True)
class Networks:
    """The numbers of several networks: a row a network and quantity, text as in the file."""

    rows: pd.DataFrame

    def __len__(self) -> int:
        return int(self.rows["seed"].nunique())

    def values(self, key: str) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """Return a quantity and its standard error in each network that has it as a number."""
        found = self.rows.loc[self.rows["quantity"] == key, ["value", "error"]]
        known = found.apply(pd.to_numeric, errors="coerce").dropna(subset="value").fillna(0.0)
        return known["value"].to_numpy(float), known["error"].to_numpy(float)


def read(paths: Iterable[Path]) -> pd.DataFrame:
    """Return the rows of those tables that are there, as the text that they hold."""
    there = [path for path in paths if path.is_file()]
    tables = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in there]
    return pd.concat([pd.DataFrame(columns=COLUMNS, dtype=str), *tables], ignore_index=True)


NONE = Networks(read([]))


def networks_of(study: Study) -> Networks:
    """Return the networks of a study's profile and faces; none for settings of its own."""
    if study.settings:
        return NONE
    return networks(study.profile.name, study.faces.fingerprint)


def networks(profile: str, fingerprint: str) -> Networks:
    """Return the networks that were trained with a profile on the faces with a fingerprint.

    They are those of the committed table and of the tables that `tinyvgg seeds` made here; of a
    seed that is in both, the committed one.
    """
    made = sorted((files.build() / "seeds").glob("*.csv"))
    rows = read([files.results() / "seeds.csv", *made])
    own = rows[(rows["profile"] == profile) & (rows["fingerprint"] == fingerprint)]
    return Networks(own.drop_duplicates(["seed", "quantity"]).sort_values(["quantity", "seed"]))
