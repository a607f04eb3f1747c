"""Describe the records and the networks that ship as an RO-Crate: sizes, digests, licence.

make crate
"""

import datetime
import hashlib
import mimetypes
import re
from typing import Any

import yaml

from tinyvgg import files

METADATA, PROFILE = "ro-crate-metadata.json", "https://w3id.org/ro/crate/1.2"
TYPES = {".npz": "application/zip", ".safetensors": "application/octet-stream"}


def crate() -> dict[str, Any]:
    """Return the metadata of the crate that the folder of results is."""
    folder, parts = files.results(), []
    rows = re.findall(r"(?m)^\| `(.+)` \| (.+) \|$", (folder / "README.md").read_text("utf-8"))
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or path.name == METADATA:
            continue
        part = {"@id": name.as_posix(), "@type": "File", "name": name.name}
        part["description"] = next(text for like, text in rows if name.match(like))
        part["encodingFormat"] = TYPES.get(path.suffix) or mimetypes.guess_type(path)[0]
        part["contentSize"] = str(path.stat().st_size)
        part["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        parts.append(part)
    cited = yaml.safe_load((files.project() / "CITATION.cff").read_text("utf-8"))
    (author,), (paper,) = cited["authors"], cited["references"]
    author = {"@id": "#authors", "@type": "Organization", **author}
    licence = {"@type": "CreativeWork", "name": cited["license"], "description": "of all files"}
    licence = {"@id": f"https://spdx.org/licenses/{cited['license']}", **licence}
    paper = {"@id": f"https://doi.org/{paper['doi']}", "@type": "Article", "name": paper["title"]}
    root = {"@id": "./", "@type": "Dataset", "name": f"Records of {cited['title']}"}
    root["description"] = "Numbers, verdicts and trained networks of a reproduction of one paper"
    root |= {"version": cited["version"], "datePublished": datetime.date.today().isoformat()}
    about = {"author": author, "publisher": author, "license": licence, "citation": paper}
    root |= {name: {"@id": entity["@id"]} for name, entity in about.items()}
    root["hasPart"] = [{"@id": part["@id"]} for part in parts]
    head = {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}}
    graph = [{**head, "conformsTo": {"@id": PROFILE}}, root, author, licence, paper, *parts]
    return {"@context": f"{PROFILE}/context", "@graph": graph}


if __name__ == "__main__":
    files.write_json(files.results() / METADATA, crate())
