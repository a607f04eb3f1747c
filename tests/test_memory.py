"""How much memory there is."""

from pathlib import Path

import pytest

from tinyvgg import memory


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system of which nothing is known but what a test writes."""
    monkeypatch.setattr(memory, "_TABLE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_LIMIT", tmp_path / "memory.max")
    monkeypatch.setattr(memory.os, "sysconf", {"SC_PHYS_PAGES": 10, "SC_PAGE_SIZE": 100}.get)
    return tmp_path


def test_what_is_available_counts_and_not_what_is_free(system: Path) -> None:
    (system / "meminfo").write_text("MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:      7 kB\n")
    assert memory.available() == 7 * 1024


def test_a_container_may_not_take_more_than_its_limit(system: Path) -> None:
    (system / "meminfo").write_text("MemAvailable: 7 kB\n")
    (system / "memory.max").write_text("5000\n")
    assert memory.available() == 5000
    (system / "memory.max").write_text("max\n")
    assert memory.available() == 7 * 1024


def test_elsewhere_the_memory_of_the_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.available() == 1000
    monkeypatch.delattr(memory.os, "sysconf")
    assert memory.available() == float("inf")
