"""The London Set: its folders, its table, and how it is fetched (from a server on this machine)."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest
from pooch.downloaders import FigshareRepository

from tinyvgg import cli
from tinyvgg.errors import UserError
from tinyvgg.faces import london
from tinyvgg.faces.london import fetch_london, list_london

TABLE = "face_id,face_age,face_gender,face_eth\n001,24,female,white\n002,NA,male,east_asian\n"
FRONT, SMILING, PEOPLE = "neutral_front.zip", "smiling_front.zip", "london_faces_info.csv"
SIDE = "left_3quarter"


def frontal(*people: int) -> list[str]:
    views = (("neutral_front", "03"), ("smiling_front", "08"))
    return [f"{folder}/{person:03d}_{view}.jpg" for folder, view in views for person in people]


def test_folders_and_table_give_the_columns(touch) -> None:
    folder = touch(*frontal(1, 2), "neutral_front/001_03.tem")
    (folder / PEOPLE).write_text(TABLE)
    listing = list_london(folder)
    assert [one.path for one in listing.photographs] == sorted(frontal(1, 2), key=lambda p: p[14:])
    known = {"subject": 1, "emotion": "happy", "gaze": "frontal", "angle": 90}
    known |= {"age": 24, "sex": "female", "group": "white"}
    assert listing.photographs[1].known == known
    assert "age" not in listing.photographs[2].known
    assert listing.tasks == ("subject", "emotion")
    assert "age of persons [2]" in listing.missing
    assert listing.left_out == ()


@pytest.mark.parametrize("number", ["001", "X001", "1"])
def test_persons_of_the_table_are_found_however_they_are_numbered(touch, number: str) -> None:
    folder = touch(*frontal(1, 3))
    (folder / "london_info.csv").write_text(TABLE.replace("001", number))
    listing = list_london(folder)
    assert [one.known["sex"] for one in listing.photographs] == ["female"] * 2 + ["unknown"] * 2
    assert "sex of persons [3]" in listing.missing


def test_other_angles_are_taken_in_and_profiles_are_kept_aside(touch) -> None:
    more = [f"neutral_{SIDE}/{person:03d}_02.jpg" for person in (1, 2)]
    profiles = ["neutral_right_profile/001_05.jpg"]
    listing = list_london(touch(*frontal(1, 2), *more, *profiles))
    angles = {one.path: one.known["angle"] for one in (*listing.photographs, *listing.beyond)}
    assert [angles[path] for path in (*more, *profiles)] == [135, 135, 0]
    assert [one.path for one in listing.beyond] == profiles
    assert "neutral_left_profile" in listing.missing[0]
    assert "neutral_right_profile" not in listing.missing[0]


def test_another_folder_is_told_where_to_get_the_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of the folders neutral_right_profile.*faces fetch"):
        list_london(tmp_path)


@pytest.mark.parametrize("content", [b"face_id\n001,\xe9\n", b"face_id\n" + b"1" * 200_000 + b"\n"])
def test_a_table_that_cannot_be_read_is_one_line(touch, content: bytes) -> None:
    folder = touch(*frontal(1, 2))
    (folder / PEOPLE).write_bytes(content)
    with pytest.raises(UserError, match=f"{PEOPLE}' cannot be read .* remove it") as error:
        list_london(folder)
    assert "\n" not in str(error.value)


def test_strange_rows_of_the_table_are_passed_over(touch) -> None:
    folder = touch(*frontal(1, 2))
    rows = ["face_age,face_id", "31", f"{'9' * 400},001", "24,002", f"24,{'1' * 5000}", "4,5,6"]
    (folder / PEOPLE).write_text("\n".join(rows))
    known = [one.known.get("age") for one in list_london(folder).photographs]
    assert known == [None, None, 24, 24]


def archive(name: str, view: int) -> bytes:
    """As published: a folder, with what some system put beside it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for person in (1, 2):
            content = f"{person} {view}".encode() * 2_000
            opened.writestr(f"{name}/{person:03d}_{view:02d}.jpg", content)
            opened.writestr(f"{name}/{person:03d}_{view:02d}.tem", "points")
        opened.writestr(f"__MACOSX/{name}/._001_{view:02d}.jpg", "x")
        opened.writestr("../outside_03.jpg", "x")
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        self.server.asked.append(name)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.server.breaks_after])

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Serves a small set, remembers what it was asked for, and may break off after some bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[str] = []
        self.breaks_after: int | None = None
        self.files: dict[str, bytes | None] = {
            f"{name}.zip": archive(name, view)
            for name, view in (("neutral_front", 3), ("smiling_front", 8), (f"neutral_{SIDE}", 2))
        }
        self.files[PEOPLE] = TABLE.encode()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def fetch(folder: Path, server: Server, **options: object) -> list[str]:
    return fetch_london(folder, place=server.url, progress=False, **options)


def test_the_set_is_fetched_unpacked_and_can_be_read(tmp_path: Path, server: Server) -> None:
    folder = tmp_path / "a" / "london"
    assert fetch(folder, server) == [FRONT, SMILING, PEOPLE]
    listing = list_london(folder)
    assert len(listing.photographs) == 4
    strange = "is not named as the set's images are"
    assert dict(listing.left_out) == {
        f"{name}/outside_03.jpg": strange for name in ("neutral_front", "smiling_front")
    }
    assert listing.photographs[0].known["age"] == 24
    assert not list(tmp_path.rglob("*.tem"))
    assert not (tmp_path / "a" / "outside_03.jpg").exists()
    assert "CC BY 4.0" in (folder / "LICENCE.txt").read_text()
    digest = hashlib.sha256(server.files[FRONT]).hexdigest()
    assert f"{FRONT} sha256:{digest}\n" in (folder / "hashes.txt").read_text()


def test_the_doi_lists_the_files_with_their_hashes(tmp_path: Path, server: Server, monkeypatch):
    """The publisher's answer is made up; more views are taken where it lists them."""
    repository = FigshareRepository("10.6084/m9.figshare.5047666", "")
    hashes = {name: hashlib.md5(content).hexdigest() for name, content in server.files.items()}
    repository._api_response = [
        {"name": name, "download_url": f"{server.url}/{name}", "computed_md5": md5}
        for name, md5 in hashes.items()
    ]
    for module in (pooch.core, pooch.downloaders):
        monkeypatch.setattr(module, "doi_to_repository", lambda *_, **__: repository)
    monkeypatch.setattr(london, "ARTICLE", f"{server.url}/5047666")
    server.files["5047666"] = b'{"license": {"name": "CC BY-NC 4.0"}}'
    with pytest.raises(UserError, match=r"under 'CC BY-NC 4.0' now, not under CC BY 4.0"):
        fetch_london(tmp_path, progress=False)
    assert not list(tmp_path.iterdir())
    server.files["5047666"] = b'{"license": {"name": "CC BY 4.0"}}'
    fetch_london(tmp_path, everything=True, progress=False)
    assert {one.known["angle"] for one in list_london(tmp_path).photographs} == {90, 135}
    repository._api_response[0]["computed_md5"] = "0" * 32
    with pytest.raises(UserError, match=rf"10.6084/.*{FRONT}.*does not match .*0000"):
        fetch_london(tmp_path / "other", progress=False)
    del repository._api_response[0]
    with pytest.raises(UserError, match=rf"{FRONT}' is not in the registry"):
        fetch_london(tmp_path / "other", progress=False)


def test_a_download_that_broke_off_goes_on_with_what_is_missing(tmp_path: Path, server: Server):
    server.breaks_after = 4_000
    with pytest.raises(UserError, match=r"the set cannot be fetched from .* goes on from here"):
        fetch(tmp_path, server)
    server.breaks_after = None
    server.files[SMILING], kept = None, server.files[SMILING]
    with pytest.raises(UserError, match=rf"404 .*{SMILING}"):
        fetch(tmp_path, server)
    assert not (tmp_path / "neutral_front").exists()
    server.files[SMILING] = kept
    server.asked.clear()
    fetch(tmp_path, server)
    assert server.asked == [SMILING, PEOPLE]
    assert len(list_london(tmp_path).photographs) == 4


@pytest.mark.parametrize("damage", ["locked", "cut"])
def test_an_archive_that_cannot_be_unpacked_is_one_line(tmp_path: Path, server: Server, damage):
    content = bytearray(server.files[FRONT])
    header, entry = content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02")
    if damage == "locked":
        content[header + 6] |= 1
        content[entry + 8] |= 1
    server.files[FRONT] = bytes(content[:-9] if damage == "cut" else content)
    with pytest.raises(UserError, match=rf"{FRONT}' is damaged; remove it, and try again"):
        fetch(tmp_path, server)


def test_a_file_that_changed_since_it_was_first_seen_is_refused(tmp_path: Path, server: Server):
    fetch(tmp_path, server)
    (tmp_path / "archives" / SMILING).unlink()
    server.files[SMILING] = archive("smiling_front", 9)
    for _ in range(2):
        with pytest.raises(UserError, match=rf"{SMILING}.*not match .*hashes.txt' first"):
            fetch(tmp_path, server)
    assert (tmp_path / "smiling_front" / "001_08.jpg").exists()
    (tmp_path / "hashes.txt").unlink()
    assert fetch(tmp_path, server)


@pytest.mark.parametrize("place", ["http://127.0.0.1:9/", "nowhere"])
def test_a_place_that_cannot_be_reached_is_one_line(tmp_path: Path, place: str) -> None:
    with pytest.raises(UserError, match=f"cannot be fetched from {place} ") as error:
        fetch_london(tmp_path, place=place, progress=False)
    assert "\n" not in str(error.value)


def test_the_command_says_what_the_set_may_be_used_for(tmp_path: Path, server: Server, capsys):
    folder = tmp_path / "london"
    assert cli.main(["faces", "fetch", "london", str(folder), "--from", server.url]) == 0
    said = capsys.readouterr().out
    assert said.startswith("the Face Research Lab London Set: CC BY 4.0. DeBruine")
    assert f"--faces london:{folder}" in said
