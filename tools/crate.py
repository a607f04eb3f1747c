"""Describe the project, its records and the networks that ship as an RO-Crate.

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
    """Return the metadata of the crate that the project is."""
    folder, parts = files.results(), []
    rows = re.findall(r"(?m)^\| `(.+)` \| (.+) \|$", (folder / "README.md").read_text("utf-8"))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        part = {"@id": f"results/{name.as_posix()}", "@type": "File", "name": name.name}
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
    about = {"author": author, "publisher": author, "license": licence, "citation": paper}
    root = {"@id": "./", "@type": "Dataset", "name": cited["title"]}
    root |= {"description": cited["abstract"], "version": cited["version"]}
    root |= {name: {"@id": entity["@id"]} for name, entity in about.items()}
    root |= {"datePublished": datetime.date.today().isoformat(), "hasPart": {"@id": "results/"}}
    records = {"@id": "results/", "@type": "Dataset", "name": "Records"}
    records["description"] = "Numbers, verdicts and reports, and the trained networks that ship"
    records["hasPart"] = [{"@id": part["@id"]} for part in parts]
    head = {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}}
    head["conformsTo"] = {"@id": PROFILE}
    graph = [head, root, author, licence, paper, records, *parts]
    return {"@context": f"{PROFILE}/context", "@graph": graph}


if __name__ == "__main__":
    files.write_json(files.project() / METADATA, crate())
