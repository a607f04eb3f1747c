"""A book of two pages becomes one PDF, in which all links lead where they should."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = {
    "_config.yml": """
title: A book
author: Someone
html: {extra_footer: About this book.}
sphinx: {config: {numfig: true, numfig_secnum_depth: 0}}
""",
    "_toc.yml": "{format: jb-book, root: one, chapters: [{file: two}]}\n",
    "one.md": """# A book

(sign)=
## Same title

{doc}`two`, {ref}`its section <there>`, {numref}`fig-second` and {ref}`this section <sign>`.

```{figure} dot.png
:name: fig-first
First
```
""",
    "two.md": """# Second page

(there)=
## Same title

[Elsewhere](https://example.org), {ref}`back <sign>`.

```{figure} dot.png
:name: fig-second
Second
```
""",
}


def pdf(repository: Path, *given: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "tools" / "pdf.py"), *given]
    env = {"PATH": "", "PYTHONPATH": str(repository), **env}
    return subprocess.run(command, capture_output=True, text=True, env=env)


def test_without_a_browser_it_says_what_is_missing(repository, tmp_path):
    done = pdf(repository, str(tmp_path), str(tmp_path / "book.pdf"))
    assert done.returncode == 1
    assert "Chromium is not installed" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_links_figures_and_contents_lead_to_the_right_sheet(repository, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs Chromium")
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text)
    shutil.copyfile(repository / "book" / "_static" / "overview.png", tmp_path / "dot.png")
    target = tmp_path / "out" / "book.pdf"
    target.parent.mkdir()
    done = pdf(repository, str(tmp_path), str(target), CHROMIUM=browser, PATH="/usr/bin:/bin")
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    content = target.read_bytes()
    sheets = re.findall(rb"\n(\d+) 0 obj\n<</Type /Page\n", content)
    places = dict(re.findall(rb"/(\S+) \[(\d+) 0 R /XYZ", content))
    links = re.findall(rb"/Dest /(\S+)", content)
    assert len(sheets) == 3
    assert sorted(sheets.index(places[link]) for link in links) == [1, 1, 2, 2, 2, 2]
    assert re.findall(rb"/URI \((.*?)\)", content) == [b"https://example.org/"]
    assert b"/Type /Outlines" in content
    (page,) = target.parent.rglob("pdf.html")
    text = page.read_text("utf-8")
    assert re.findall(r'caption-number">(Fig. \d+) ', text) == ["Fig. 1", "Fig. 2"]
    assert re.findall(r"<span>(\d+)</span></p>", text) == ["3"]
