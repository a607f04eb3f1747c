"""Committed notebooks keep their results and nothing that changes from run to run."""

import json
import uuid

import nbformat
import pytest

from tinyvgg import files as paths
from tinyvgg.book.notebooks import (
    WIDGET_STATE,
    WIDGET_VIEW,
    normalise,
    refuse_private,
    write_notebook,
)
from tinyvgg.errors import UserError


def model(name, **state):
    return {"model_name": name, "model_module": "m", "model_module_version": "2", "state": state}


def executed(minute=0, swap=False):
    """A notebook as a run leaves it; ids and times are of this call."""
    slider, stack, link, layout, stray = (uuid.uuid4().hex for _ in range(5))
    models = {
        slider: model("IntSliderModel", max=1, tooltip=None, layout=f"IPY_MODEL_{layout}"),
        layout: model("LayoutModel", width="9em", height=None),
        stack: model("StackModel", children=[f"IPY_MODEL_{slider}"]),
        link: model(
            "LinkModel", source=[f"IPY_MODEL_{slider}", "value"], target=[f"IPY_MODEL_{stack}", "i"]
        ),
        stray: model("FloatProgressModel"),
    }
    state = dict(reversed(models.items())) if swap else models
    view = {WIDGET_VIEW: {"model_id": stack, "version_major": 2, "version_minor": 0}}
    bar = {WIDGET_VIEW: {"model_id": stray}, "text/plain": f"  {minute}%|   | 0/2 [00:0{minute}]"}
    outputs = [
        nbformat.v4.new_output("stream", name="stderr", text=f"\r{minute}%|##| 1/2"),
        nbformat.v4.new_output("stream", name="stdout", text="a\n"),
        nbformat.v4.new_output("stream", name="stdout", text="b\n"),
        nbformat.v4.new_output("display_data", data=bar),
        nbformat.v4.new_output("display_data", data={**view, "text/plain": "Stack()"}),
    ]
    cells = [
        nbformat.v4.new_markdown_cell("# Title"),
        nbformat.v4.new_code_cell("1", outputs=outputs, execution_count=1),
        nbformat.v4.new_code_cell("1", execution_count=2, metadata={"tags": ["hide-input"]}),
    ]
    for cell in cells:
        cell.metadata["papermill"] = {"duration": minute}
    cells[1].metadata["execution"] = {"iopub.status.busy": str(minute)}
    metadata = {
        "papermill": {"start_time": minute},
        "tinyvgg": {"profile": "quick"},
        "language_info": {"name": "python", "version": f"3.11.{minute}"},
        "widgets": {WIDGET_STATE: {"state": state, "version_major": 2, "version_minor": 0}},
    }
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


@pytest.mark.parametrize(
    ("shown", "kept"),
    [
        ({"image/png": "AA==", "text/plain": "<Figure>"}, True),
        ({"text/markdown": "No error.", "text/plain": "Missing()"}, False),
        (None, True),
    ],
)
def test_a_sentence_in_place_of_a_figure_has_no_caption(shown, kept):
    outputs = [] if shown is None else [nbformat.v4.new_output("display_data", data=shown)]
    figure = {"figure": {"name": "fig-a", "caption": "A figure."}}
    cell = nbformat.v4.new_code_cell("draw()", outputs=outputs, metadata={"mystnb": figure})
    (made,) = normalise(nbformat.v4.new_notebook(cells=[cell])).cells
    assert made.metadata.get("mystnb") == (figure if kept else None)
    assert made.outputs == outputs


def test_widgets_that_no_page_shows_are_kept_in_words_alone():
    notebook = executed()
    notebook.cells[1].metadata["tags"] = ["remove-output"]
    made = normalise(notebook)
    assert "widgets" not in made.metadata
    assert made.cells[1].outputs[-1].data == {"text/plain": "Stack()"}
    assert WIDGET_STATE in normalise(executed()).metadata["widgets"]


def test_two_runs_with_the_same_results_are_the_same_bytes(tmp_path):
    for name, notebook in (("a", executed(1)), ("b", executed(7, swap=True))):
        write_notebook(normalise(notebook), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_results_tags_and_own_metadata_are_kept():
    made = normalise(executed())
    nbformat.validate(made)
    streams = [output.text for output in made.cells[1].outputs if output.output_type == "stream"]
    assert streams == ["a\nb\n"]
    assert made.cells[2].metadata == {"tags": ["hide-input"]}
    assert made.metadata["tinyvgg"] == {"profile": "quick"}
    assert made.metadata.kernelspec.name == "python3"


def test_progress_bars_are_dropped_but_complaints_are_kept():
    complaint = nbformat.v4.new_output("stream", name="stderr", text="UserWarning: odd\n")
    notebook = executed()
    notebook.cells[2].outputs = [complaint]
    made = normalise(notebook)
    assert made.cells[2].outputs == [complaint]
    assert "%|" not in json.dumps(made)


def test_shown_widgets_keep_their_parts_and_links_and_others_go():
    made = normalise(executed())
    state = made.metadata.widgets[WIDGET_STATE].state
    names = [entry.model_name for entry in state.values()]
    assert names == ["StackModel", "IntSliderModel", "LayoutModel", "LinkModel"]
    stack, slider, layout, link = state
    assert made.cells[1].outputs[-1].data[WIDGET_VIEW].model_id == stack
    assert state[stack].state.children == [f"IPY_MODEL_{slider}"]
    assert state[link].state.target[0] == f"IPY_MODEL_{stack}"
    assert state[layout].state == {"width": "9em"}
    assert state[slider].state.tooltip is None


def test_widgets_too_large_for_a_page_are_refused():
    notebook = executed()
    states = notebook.metadata.widgets[WIDGET_STATE].state
    next(iter(states.values())).state["value"] = "x" * 4_000_000
    with pytest.raises(UserError, match=r"4,000,\d+ bytes"):
        normalise(notebook)


@pytest.mark.parametrize(
    "text",
    [
        "/home/someone/faces/a.png",
        "/tmp/tmpabc",
        "/Users/someone/x",
        "C:\\Users\\someone",
        "<object at 0x7f00dead>",
    ],
)
def test_what_only_one_machine_has_is_refused_with_its_cell(text):
    output = nbformat.v4.new_output("execute_result", data={"text/plain": text})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])
    with pytest.raises(UserError, match="notebook 03_x shows .* in cell 1"):
        refuse_private(notebook, "03_x")


def test_paths_of_this_project_are_refused_in_metadata_too():
    notebook = nbformat.v4.new_notebook(metadata={"tinyvgg": {"faces": f"{paths.project()}/x"}})
    with pytest.raises(UserError, match="its metadata"):
        refuse_private(notebook, "03_x")


def test_relative_paths_and_images_may_be_shown():
    data = {"text/plain": "build/faces a/home/b 1/2", "image/png": "/Users/aaaa/bbbb"}
    output = nbformat.v4.new_output("display_data", data=data)
    cell = nbformat.v4.new_code_cell("x", outputs=[output])
    refuse_private(nbformat.v4.new_notebook(cells=[cell]), "03_x")
