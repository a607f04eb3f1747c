"""What was measured on several networks, which differ in nothing but their seed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from tinyvgg import files
from tinyvgg.training.experiments import Study

LEAST = 5
"""Networks that a verdict takes."""
SEEDS = "seeds"


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


NONE = Networks(
    pd.DataFrame(
        columns=["fingerprint", "profile", "seed", "quantity", "value", "error"], dtype=str
    )
)


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
    paths = [files.results() / f"{SEEDS}.csv", *sorted((files.build() / SEEDS).glob("*.csv"))]
    tables = [pd.read_csv(path, dtype=str) for path in paths if path.is_file()]
    rows = pd.concat(tables or [NONE.rows])
    own = rows[(rows["profile"] == profile) & (rows["fingerprint"] == fingerprint)]
    return Networks(own.drop_duplicates(["seed", "quantity"]).sort_values(["quantity", "seed"]))
