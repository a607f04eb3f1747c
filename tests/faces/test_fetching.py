"""The London Set fetched from a server on this machine, which has a small one."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
from PIL import Image
from pooch.downloaders import FigshareRepository

from tinyvgg import cli
from tinyvgg.errors import UserError
from tinyvgg.faces.london import fetch_london, list_london

TABLE = b"face_id,face_age,face_gender,face_eth\n001,24,female,white\n002,31,male,black\n"


def image(seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def archive(name: str, view: int) -> bytes:
    """As published: a folder, with what some system put beside it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for person in (1, 2):
            opened.writestr(f"{name}/{person:03d}_{view:02d}.jpg", image(10 * view + person))
            opened.writestr(f"{name}/{person:03d}_{view:02d}.tem", "points")
        opened.writestr(f"__MACOSX/{name}/._001_{view:02d}.jpg", "x")
        opened.writestr("../outside_03.jpg", image(view))
    return buffer.getvalue()


@dataclass
class Server:
    """What is served, what was asked for, and after how many bytes an answer breaks off."""

    files: dict[str, bytes | None]
    url: str = ""
    breaks_after: int | None = None
    asked: list[str] = field(default_factory=list)

    def listing(self) -> list[dict[str, str]]:
        """As figshare describes files."""
        return [
            {
                "name": name,
                "download_url": f"{self.url}/{name}",
                "computed_md5": hashlib.md5(content).hexdigest(),
            }
            for name, content in self.files.items()
        ]


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server(
        {
            "neutral_front.zip": archive("neutral_front", 3),
            "smiling_front.zip": archive("smiling_front", 8),
            "neutral_left_3quarter.zip": archive("neutral_left_3quarter", 2),
            "london_faces_info.csv": TABLE,
        }
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            content = served.files.get(name)
            if content is None:
                self.send_error(404)
                return
            served.asked.append(name)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: served.breaks_after])

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield served
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def fetch(folder: Path, server: Server, **options: object) -> list[str]:
    return fetch_london(folder, place=server.url, progress=False, **options)


def test_the_set_is_fetched_unpacked_and_can_be_read(tmp_path: Path, server: Server) -> None:
    folder = tmp_path / "a" / "london"
    names = fetch(folder, server)
    assert names == ["neutral_front.zip", "smiling_front.zip", "london_faces_info.csv"]
    listing = list_london(folder)
    assert len(listing.photographs) == 4
    strange = "is not named as the set's images are"
    assert listing.left_out == tuple(
        (f"{name}/outside_03.jpg", strange) for name in ("neutral_front", "smiling_front")
    )
    assert listing.photographs[0].known["age"] == 24
    assert not list(tmp_path.rglob("*.tem"))
    assert not (tmp_path / "a" / "outside_03.jpg").exists()
    assert "CC BY 4.0" in (folder / "LICENCE.txt").read_text()
    digest = hashlib.sha256(server.files["neutral_front.zip"]).hexdigest()
    assert f"neutral_front.zip sha256:{digest}\n" in (folder / "hashes.txt").read_text()


def test_the_doi_lists_the_files_with_their_hashes(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publisher's answer is made up; more views are taken where it lists them."""
    repository = FigshareRepository("10.6084/m9.figshare.5047666", "")
    repository._api_response = server.listing()
    for module in (pooch.core, pooch.downloaders):
        monkeypatch.setattr(module, "doi_to_repository", lambda *_, **__: repository)
    fetch_london(tmp_path, everything=True, progress=False)
    assert {one.known["angle"] for one in list_london(tmp_path).photographs} == {90, 135}
    repository._api_response[0]["computed_md5"] = "0" * 32
    with pytest.raises(UserError, match=r"10.6084/.*neutral_front.zip.*does not match .*0000"):
        fetch_london(tmp_path / "other", progress=False)


def test_a_download_that_broke_off_goes_on_with_what_is_missing(
    tmp_path: Path, server: Server
) -> None:
    server.breaks_after = 4_000
    with pytest.raises(UserError, match=r"the set cannot be fetched from .* goes on from here"):
        fetch(tmp_path, server)
    server.breaks_after = None
    server.files["smiling_front.zip"], kept = None, server.files["smiling_front.zip"]
    with pytest.raises(UserError, match=r"404 .*smiling_front.zip"):
        fetch(tmp_path, server)
    assert not (tmp_path / "neutral_front").exists()
    server.files["smiling_front.zip"] = kept
    server.asked.clear()
    fetch(tmp_path, server)
    assert server.asked == ["smiling_front.zip", "london_faces_info.csv"]
    assert len(list_london(tmp_path).photographs) == 4


@pytest.mark.parametrize("damage", ["locked", "cut", "unknown"])
def test_an_archive_that_cannot_be_unpacked_is_one_line(
    tmp_path: Path, server: Server, damage: str
) -> None:
    content = bytearray(server.files["neutral_front.zip"])
    header, entry = content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02")
    if damage == "locked":
        content[header + 6] |= 1
        content[entry + 8] |= 1
    elif damage == "unknown":
        content[header + 8] = content[entry + 10] = 97
    server.files["neutral_front.zip"] = bytes(content[:-9] if damage == "cut" else content)
    with pytest.raises(UserError, match=r"neutral_front.zip' is damaged; remove it, and try again"):
        fetch(tmp_path, server)


def test_a_file_that_changed_since_it_was_first_seen_is_refused(
    tmp_path: Path, server: Server
) -> None:
    fetch(tmp_path, server)
    (tmp_path / "archives" / "smiling_front.zip").unlink()
    server.files["smiling_front.zip"] = archive("smiling_front", 9)
    for _ in range(2):
        with pytest.raises(UserError, match=r"smiling_front.zip.*not match .*hashes.txt' first"):
            fetch(tmp_path, server)
    assert (tmp_path / "smiling_front" / "001_08.jpg").exists()
    (tmp_path / "hashes.txt").unlink()
    assert fetch(tmp_path, server)


def test_a_hash_can_be_given(tmp_path: Path, server: Server) -> None:
    right = hashlib.sha256(TABLE).hexdigest()
    assert fetch(tmp_path / "a", server, hashes={"london_faces_info.csv": f"sha256:{right}"})
    with pytest.raises(UserError, match=r"london_faces_info.csv.*not match .*0000"):
        fetch(tmp_path / "b", server, hashes={"london_faces_info.csv": f"sha256:{'0' * 64}"})
    with pytest.raises(UserError, match="hash of 'x.zip' is not one of neutral_front.zip"):
        fetch(tmp_path, server, hashes={"x.zip": "md5:0"})
    with pytest.raises(
        UserError, match="of 'neutral_front.zip': kind '0123' is not one of sha256, md5"
    ):
        fetch(tmp_path, server, hashes={"neutral_front.zip": "0123"})


def test_a_place_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    for place in ("http://127.0.0.1:9/", "nowhere"):
        with pytest.raises(UserError, match=f"cannot be fetched from {place} ") as error:
            fetch_london(tmp_path, place=place, progress=False)
        assert "\n" not in str(error.value)


def test_the_command_says_what_the_set_may_be_used_for(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "london"
    assert cli.main(["faces", "fetch", "london", str(folder), "--from", server.url]) == 0
    said = capsys.readouterr().out
    assert said.startswith("the Face Research Lab London Set: CC BY 4.0. DeBruine")
    assert f"--faces london:{folder}" in said
