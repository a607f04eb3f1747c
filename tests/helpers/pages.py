"""Tools to read pieces of HTML and to show them in a browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

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


def opened(html: str, folder: Path, *options: str) -> list[str]:
    """Write a page, and return the command that opens it in Chromium."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("needs Chromium: install the package chromium, or put it on the PATH")
    folder.mkdir(exist_ok=True)
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{html}", "utf-8")
    usual = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    return [browser, *usual, *options, page.as_uri()]


def shown(html: str, folder: Path) -> str:
    """Return the page as Chromium has it after its scripts have run, without its data."""
    command = opened(html, folder, "--virtual-time-budget=3000", "--dump-dom")
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
    return re.sub(r'<script type="application/json".*?</script>', "", done.stdout, flags=re.S)


def told(html: str, folder: Path) -> tuple[Any, list[str]]:
    """Return what a page tells, and the messages on its console.

    A script of the page calls `tell` once, with anything that JSON holds; until then Chromium shows
    the page, which is a file of the folder.
    """
    heard: list[Any] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        server.timeout = 900
        post = "{ method: 'POST', mode: 'no-cors', body: JSON.stringify(found) }"
        tell = f"const tell = (found) => fetch('http://127.0.0.1:{server.server_port}', {post});"
        command = opened(f"<script>{tell}</script>{html}", folder, "--enable-logging=stderr")
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as browser:
            server.handle_request()
            browser.terminate()
            _, log = browser.communicate()
    assert heard, log
    return heard[0], [line for line in log.splitlines() if "CONSOLE" in line]
