"""The London Set fetched from a server on this machine, which has a small one."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    """What is served, what was asked for, and how much of an answer is given before it breaks."""

    files: dict[str, bytes]
    licence: str = "CC BY 4.0"
    url: str = ""
    breaks_after: int | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def article(self) -> str:
        return f"{self.url}/article"

    def listing(self) -> bytes:
        files = [
            {
                "name": name,
                "download_url": f"{self.url}/files/{name}",
                "size": len(content),
                "computed_md5": hashlib.md5(content).hexdigest(),
            }
            for name, content in self.files.items()
        ]
        return json.dumps({"license": {"name": self.licence}, "files": files}).encode()


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
            wanted = self.headers.get("Range", "")
            served.asked.append((name, wanted))
            content = served.listing() if name == "article" else served.files.get(name)
            if content is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = len(content)
            if served.breaks_after is not None and name != "article":
                end = min(end, start + served.breaks_after)
            self.wfile.write(content[start:end])

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
    return fetch_london(folder, article=server.article, progress=False, **options)


def downloads(server: Server) -> list[tuple[str, str]]:
    return [(name, wanted) for name, wanted in server.asked if name != "article"]


def test_the_set_is_fetched_unpacked_and_can_be_read(tmp_path: Path, server: Server) -> None:
    names = fetch(tmp_path / "a" / "london", server)
    assert names == ["neutral_front.zip", "smiling_front.zip", "london_faces_info.csv"]
    folder = tmp_path / "a" / "london"
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
    content = server.files["neutral_front.zip"]
    pins = json.loads((folder / "hashes.json").read_text())
    assert pins["neutral_front.zip"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_what_is_there_is_not_fetched_again_and_more_can_be_added(
    tmp_path: Path, server: Server
) -> None:
    fetch(tmp_path, server)
    server.asked.clear()
    fetch(tmp_path, server, everything=True)
    assert downloads(server) == [("neutral_left_3quarter.zip", "")]
    assert {one.known["angle"] for one in list_london(tmp_path).photographs} == {90, 135}


def test_a_download_that_broke_off_goes_on_from_there(tmp_path: Path, server: Server) -> None:
    server.breaks_after = 40_000
    with pytest.raises(UserError, match="download of 'neutral_front.zip' broke off .* goes on"):
        fetch(tmp_path, server)
    assert not (tmp_path / "neutral_front").exists()
    server.breaks_after = None
    server.asked.clear()
    fetch(tmp_path, server)
    assert downloads(server)[0] == ("neutral_front.zip", f"bytes={2 * 2**14}-")
    assert len(list_london(tmp_path).photographs) == 4
    assert not list((tmp_path / "archives").glob(".*"))


def test_a_part_of_something_else_is_refused_once_and_then_fetched_whole(
    tmp_path: Path, server: Server
) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / ".neutral_front.zip.part").write_bytes(b"x" * 100)
    with pytest.raises(UserError, match="'neutral_front.zip' has not the hash md5:"):
        fetch(tmp_path, server)
    assert fetch(tmp_path, server)


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
    with pytest.raises(UserError, match="neutral_front.zip' is damaged; remove it, and try again"):
        fetch(tmp_path, server)


def test_a_file_that_changed_since_it_was_first_seen_is_refused(
    tmp_path: Path, server: Server
) -> None:
    fetch(tmp_path, server)
    (tmp_path / "archives" / "smiling_front.zip").unlink()
    server.files["smiling_front.zip"] = archive("smiling_front", 9)
    with pytest.raises(
        UserError, match=r"'smiling_front.zip' has not the hash sha256:.*hashes.json"
    ):
        fetch(tmp_path, server)
    assert (tmp_path / "smiling_front" / "001_08.jpg").exists()
    (tmp_path / "hashes.json").unlink()
    assert fetch(tmp_path, server)


def test_a_hash_can_be_given(tmp_path: Path, server: Server) -> None:
    right = hashlib.sha256(TABLE).hexdigest()
    for given, fits in ((right, True), ("0" * 64, False)):
        hashes = {"london_faces_info.csv": f"sha256:{given}"}
        folder = tmp_path / given[:4]
        if fits:
            fetch(folder, server, hashes=hashes)
        else:
            with pytest.raises(UserError, match="has not the hash sha256:0000"):
                fetch(folder, server, hashes=hashes)
    with pytest.raises(UserError, match=r"hash of 'x.zip': it is not one of neutral_front.zip"):
        fetch(tmp_path, server, hashes={"x.zip": "md5:0"})
    with pytest.raises(UserError, match="does not begin with sha256: or md5:"):
        fetch(tmp_path, server, hashes={"neutral_front.zip": "0123"})


def test_another_licence_is_not_accepted_in_silence(tmp_path: Path, server: Server) -> None:
    server.licence = "CC BY-NC 4.0"
    with pytest.raises(UserError, match="under 'CC BY-NC 4.0' now, and not under CC BY 4.0"):
        fetch(tmp_path, server)


def test_a_list_that_is_none_or_lacks_files_is_one_line(tmp_path: Path, server: Server) -> None:
    with pytest.raises(UserError, match="list of files at .* cannot be read .404.*by hand"):
        fetch_london(tmp_path, article=f"{server.url}/nothing", progress=False)
    with pytest.raises(UserError, match="list of files at .* cannot be read") as error:
        fetch_london(tmp_path, article="http://127.0.0.1:9/", progress=False)
    assert "\n" not in str(error.value)
    del server.files["smiling_front.zip"]
    with pytest.raises(UserError, match=r"lists no 'smiling_front.zip', but neutral_front.zip"):
        fetch(tmp_path, server)


def test_the_command_says_what_the_set_may_be_used_for(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "london"
    command = ["faces", "fetch", "london", str(folder), "--from", server.article]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert said.startswith("the Face Research Lab London Set: CC BY 4.0. DeBruine")
    assert f"--faces london:{folder}" in said
    assert cli.main(["faces", "fetch", "paris", str(folder)]) == cli.BAD_INPUT
    assert "set 'paris' is not one of london" in capsys.readouterr().err
