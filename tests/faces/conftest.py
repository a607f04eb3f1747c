"""Synthetic faces for the tests: the anatomy is parsed once for all of them."""

from pathlib import Path

import pytest

from synthfaces.anatomy import load_anatomy


@pytest.fixture(scope="session")
def anatomy_folder(tmp_path_factory) -> Path:
    """A folder that holds the parsed anatomy."""
    folder = tmp_path_factory.mktemp("anatomy")
    load_anatomy(folder)
    return folder
