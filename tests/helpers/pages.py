"""Tools to read pieces of HTML and to show them in a browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest


class Reader(HTMLParser):
    """A reader that collects ids and checks that every open element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.ids, self.targets, self.sources, self.inputs = ([] for _ in range(5))

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        assert tag != "img" or "alt" in named
        self.ids += [named["id"]] if "id" in named else []
        self.inputs += [named["id"]] if tag == "input" else []
        self.targets += [named[name] for name in ("for", "aria-describedby") if name in named]
        self.sources += [named[name] for name in ("src", "href") if name in named]
        if tag not in ("img", "input", "br", "meta"):
            self.open.append(tag)

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(html: str) -> Reader:
    """Read a piece of HTML; fail unless it is well formed and complete by itself."""
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids) > 0
    assert set(reader.targets) <= set(reader.ids)
    inner = {f"#{name}" for name in reader.ids}
    assert all(s.startswith("data:image/png;base64,") or s in inner for s in reader.sources)
    assert not re.search(r"https?://|@import|url\(", html)
    return reader


def embedded(html: str) -> dict:
    """Return the data that a piece of HTML carries."""
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html)[1])


def shown(html: str, folder: Path) -> str:
    """Return the page as Chromium has it after its scripts have run, without its data."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("needs Chromium: install the package chromium, or put it on the PATH")
    (folder / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{html}", "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000"]
    command = [browser, *options, f"--user-data-dir={folder}", "--dump-dom"]
    command.append((folder / "page.html").as_uri())
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return re.sub(r'<script type="application/json".*?</script>', "", done.stdout, flags=re.S)
