"""A book of two pages becomes one PDF, in which all links lead where they should."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BOOK = Path(__file__).parent / "fixtures" / "two_pages"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


def pdf(repository: Path, book: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, repository / "tools" / "pdf.py", book, book / "made" / "book.pdf"]
    env = {"PATH": "", "PYTHONPATH": str(repository), **env}
    return subprocess.run(command, capture_output=True, text=True, env=env)


def test_without_a_browser_it_says_what_is_missing(repository, tmp_path):
    done = pdf(repository, tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])
    assert "Chromium is not installed" in done.stderr


@pytest.mark.skipif(not BROWSER, reason="needs Chromium")
def test_links_figures_and_contents_lead_to_the_right_sheet(repository, tmp_path):
    book = shutil.copytree(BOOK, tmp_path / "book")
    shutil.copy(repository / "book" / "_static" / "overview.png", book)
    (book / "made").mkdir()
    done = pdf(repository, book, CHROMIUM=str(BROWSER), PATH="/usr/bin:/bin")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    content = (book / "made" / "book.pdf").read_bytes()
    sheets = re.findall(rb"\n(\d+) 0 obj\n<</Type /Page\n", content)
    places = dict(re.findall(rb"/(\S+) \[(\d+) 0 R /XYZ", content))
    links = re.findall(rb"/Dest /(\S+)", content)
    assert len(sheets) == 3
    assert sorted(sheets.index(places[link]) for link in links) == [1, 1, 1, 2, 2, 2, 2]
    assert re.findall(rb"/URI \((.*?)\)", content) == [b"https://example.org/"]
    assert b"/Type /Outlines" in content
    (page,) = book.rglob("pdf.html")
    text = page.read_text("utf-8")
    assert re.findall(r'caption-number">(Fig. \d+) ', text) == ["Fig. 1", "Fig. 2"]
    assert re.findall(r"<span>(\d+)</span></p>", text) == ["3"]
