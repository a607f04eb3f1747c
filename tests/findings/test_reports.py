"""Reports of the maintainers' tools, read from files as they may be."""

import importlib
import json
from pathlib import Path

import pytest

from synthfaces import fingerprint
from tinyvgg.chapters import data_sheet as judges
from tinyvgg.chapters import data_sheet as tuning
from tinyvgg.chapters import reports
from tinyvgg.errors import UserError

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def judged_content():
    """Two emotions and contempt, shown ten times each; one detector misses a face at the side."""

    def counts(shown, found):
        return {"shown": shown, "found": found, "elsewhere": shown - found, "missed": []}

    return {
        "size": 224,
        "seed": 0,
        "subjects": 67,
        "fingerprint": fingerprint(224, 0),
        "judges": {"detector": "1.0"},
        "found": {
            "MTCNN": {"0": counts(10, 2), "90": counts(60, 60), "45": counts(40, 38)},
            "CenterFace": {"0": counts(10, 10), "90": counts(60, 60), "45": counts(40, 40)},
        },
        "expressions": {
            "confusion": {
                "contemptuous": {"happy": 3, "sad": 7},
                "happy": {"happy": 9, "sad": 1},
                "sad": {"happy": 6, "sad": 4},
            },
            "right": {},
            "right_of_all": 0,
        },
        "photographs": {"smiling_front": {"read": {"happy": 19, "sad": 1}, "right": 0.95}},
    }


def tuned_content():
    run = {
        "task": "emotion",
        "profile": "quick",
        "size": 64,
        "seed": 1,
        "fingerprint": fingerprint(64, 0),
        "test_images": 100,
        "errors": 10,
        "confusion": {"sad": {"sad": 42, "neutral": 8}, "neutral": {"neutral": 48, "sad": 2}},
        "by_angle": {"45": {"images": 40, "errors": 8}, "90": {"images": 60, "errors": 2}},
    }
    other = {**run, "seed": 0, "errors": 20}
    other["confusion"] = {"sad": {"sad": 40, "neutral": 10}, "neutral": {"neutral": 40, "sad": 10}}
    other["by_angle"] = {"45": {"images": 40, "errors": 8}, "90": {"images": 60, "errors": 12}}
    return {"source": "synthetic", "runs": [run, other]}


def written(folder, content):
    path = folder / "report.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def judged(tmp_path):
    return judges.read_judged(written(tmp_path, judged_content()))


@pytest.fixture
def tuned(tmp_path):
    return tuning.read_tuning(written(tmp_path, tuned_content()))


# --- files


@pytest.mark.parametrize(
    ("read", "say"),
    [
        (judges.read_judged, judges.judged_sentence),
        (tuning.read_tuning, tuning.tuning_sentence),
    ],
)
def test_a_missing_report_is_told_in_one_sentence_and_shows_no_table(read, say, tmp_path):
    assert read(tmp_path / "none.json") is None
    said = say(None)
    assert said.startswith("There is no `results/")
    assert said.count(".json") == 1
    assert reports.shown(None, judges.found_table) is None
    assert judges.contempt_sentence(None) == ""


def broken(content, *path, value=None):
    """A report with something else at a place, or without it."""
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return content


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        b"\xff\xfe".decode("latin-1"),
        broken(judged_content(), "found"),
        broken(judged_content(), "found", value={}),
        broken(judged_content(), "found", "MTCNN", "90", "shown"),
        broken(judged_content(), "found", "MTCNN", "front", value={"shown": 1}),
        broken(judged_content(), "expressions", "confusion", value={}),
        broken(judged_content(), "expressions", "confusion", "sad", value={"glad": 3}),
        broken(judged_content(), "expressions", "confusion", "sad", value={"sad": 0}),
        broken(judged_content(), "photographs", "side", value={"read": {"sad": 1}}),
    ],
)
def test_a_damaged_report_of_judges_is_one_line(content, tmp_path):
    path = written(tmp_path, content)
    with pytest.raises(
        UserError, match=r"report '.*report.json' is damaged: .*judge_faces"
    ) as told:
        judges.read_judged(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "content",
    [
        "nothing",
        "{}",
        broken(tuned_content(), "source", value="folder"),
        broken(tuned_content(), "source", value="synthetic:colour=1"),
        broken(tuned_content(), "runs", 0, "size"),
        broken(tuned_content(), "runs", 0, "more", value=1),
        broken(tuned_content(), "runs", 0, "task", value="class"),
        broken(tuned_content(), "runs", 0, "errors", value=11),
        broken(tuned_content(), "runs", 0, "test_images", value=99),
        broken(tuned_content(), "runs", 0, "by_angle", value={"45": {"images": 1, "errors": 1}}),
        broken(tuned_content(), "runs", 0, "by_angle", value={}),
        broken(tuned_content(), "runs", 0, "confusion", value={"sad": 3}),
    ],
)
def test_a_damaged_report_of_error_rates_is_one_line(content, tmp_path):
    path = written(tmp_path, content)
    with pytest.raises(UserError, match=r"is damaged: .*measure_difficulty") as told:
        tuning.read_tuning(path)
    assert "\n" not in str(told.value)


# --- judges


def test_faces_found_are_summed_over_the_angles_that_were_asked_for(judged):
    table = judges.found_table(judged)
    together = table.loc[("MTCNN", "45°, 90°")]
    assert (together["shown"], together["found"]) == ("100", "98")
    assert (together["share"], together["met"]) == ("98.00%", "no")
    assert together["95 % interval"] == "93.00 to 99.45%"
    assert together["also found where no face is"] == 2
    assert table.loc[("CenterFace", "45°, 90°"), "met"] == "yes"
    assert table.loc[("MTCNN", "0°"), "share"] == "20.00%"
    assert table.loc[("MTCNN", "0°"), "met"] == "—"
    assert [camera for _, camera in table.index[:4]] == ["0°", "45°", "90°", "45°, 90°"]


def test_what_was_asked_for_and_is_not_reached_is_said(judged, tmp_path):
    said = judges.judged_sentence(judged)
    assert "Not reached: faces that MTCNN finds (98.00%, at least 99% were asked for); " in said
    assert "readings of sad (40.00%, at least 50%" in said
    assert "CenterFace finds" not in said
    good = judged_content()
    good["found"].pop("MTCNN")
    good["expressions"]["confusion"]["sad"] = {"happy": 1, "sad": 9}
    reached = judges.judged_sentence(judges.read_judged(written(tmp_path, good)))
    assert "All that was asked for is reached." in reached


def test_readings_are_judged_one_by_one_and_together_without_contempt(judged):
    table = judges.read_table(judged)
    assert list(table.index) == ["happy", "sad", "all of these"]
    assert list(table["share"]) == ["90.00%", "40.00%", "65.00%"]
    assert list(table["met"]) == ["yes", "no", "no"]
    assert list(table["else read as"]) == ["sad 1", "happy 6", ""]
    assert judges.contempt_sentence(judged).endswith("it reads as sad 7, happy 3.")


def test_the_confusion_keeps_contempt_as_a_row_alone(judged):
    table = judges.confusion_table(judged)
    assert list(table.index) == ["contemptuous", "happy", "sad"]
    assert list(table.columns) == ["happy", "sad"]
    assert table.loc["sad", "happy"] == 6


def test_the_control_on_photographs_is_shown_where_there_is_one(judged, tmp_path):
    table = judges.photographs_table(judged)
    assert table.loc["happy", "share"] == "95.00%"
    assert "met" not in table
    without = broken(judged_content(), "photographs")
    other = judges.read_judged(written(tmp_path, without))
    shown = reports.shown(other, judges.photographs_table, "No photographs.")
    assert "No photographs." in shown.data


def test_a_report_on_images_of_another_version_says_so(judged, tmp_path):
    assert "changed since" not in judges.judged_sentence(judged)
    assert "all subjects" in judges.judged_sentence(judged)
    other = broken(judged_content(), "fingerprint", value="0123")
    other["subjects"] = 16
    said = judges.judged_sentence(judges.read_judged(written(tmp_path, other)))
    assert "16 of the 67 subjects" in said
    assert "The set has changed since" in said


def test_what_was_asked_for_is_what_the_tool_asks_for(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    tool = importlib.import_module("judge_faces")
    assert tool.ASKED_ANGLES == judges.ASKED_ANGLES
    assert tool.LEAST_FOUND == judges.LEAST_FOUND
    assert tool.LEAST_RIGHT == judges.LEAST_RIGHT
    assert tool.LEAST_RIGHT_OF_EACH == judges.LEAST_RIGHT_OF_EACH
    assert set(judges._PHOTOGRAPHS.items()) == set(tool.PHOTOGRAPHS.items())


# --- error rates


def test_error_rates_stand_beside_what_was_asked_for(tuned):
    table = tuning.rates_table(tuned).loc[("emotion", "quick", 64)]
    assert list(table.index) == ["0", "1", "mean"]
    assert list(table["errors"]) == ["20 of 100", "10 of 100", "—"]
    assert list(table["error rate"]) == ["20.00%", "10.00%", "15.00%"]
    assert table.loc["1", "95 % interval"] == "5.52 to 17.44%"
    assert table.loc["mean", "95 % interval"] == "0.00 to 78.53%"
    assert list(table["within"]) == ["no", "yes", "no"]
    assert set(table["asked for"]) == {"6 to 13%"}
    assert set(table["paper"]) == {"9.03%"}


def test_networks_in_the_range_asked_for_are_counted(tuned):
    assert "with 2 networks on the faces `synthetic`: 1 have" in tuning.tuning_sentence(tuned)


def test_the_most_frequent_confusions_are_counted_over_all_networks(tuned):
    table = tuning.emotion_confusions(tuned)
    first = table.iloc[0]
    assert (first["true"], first["taken for"], first["so often"]) == ("sad", "neutral", 18)
    assert (first["of all errors"], first["of its images"]) == ("60.00%", "18.00%")
    assert len(table) == 2
    assert not len(tuning.subject_confusions(tuned))


def test_error_rates_by_angle_are_over_all_seeds(tuned):
    row = tuning.angles_table(tuned).loc[("emotion", "quick", 64)]
    assert row["45°"] == "20.00% (12.70 to 30.05%)"
    assert row["90°"].startswith("11.67%")


def test_a_report_without_networks_says_so(tmp_path):
    empty = tuning.read_tuning(written(tmp_path, {"source": "synthetic", "runs": []}))
    assert tuning.tuning_sentence(empty).startswith("No network was trained on `synthetic` yet")
    for make in (tuning.rates_table, tuning.angles_table, tuning.emotion_confusions):
        assert "There is nothing to show." in reports.shown(empty, make).data


def test_networks_on_earlier_images_are_told_and_dropped_when_new_ones_come(tmp_path, tuned):
    content = broken(tuned_content(), "runs", 0, "fingerprint", value="0123")
    old = tuning.read_tuning(written(tmp_path, content))
    assert "since 1 of them were trained" in tuning.tuning_sentence(old)
    assert "changed since" not in tuning.tuning_sentence(tuned)
    assert [run.seed for run in tuning.merged("synthetic", old, ()).runs] == [0]
    assert tuning.merged("synthetic:noise=0.02", tuned, ()).runs == ()
    again = tuning.merged("synthetic", tuned, [tuned.runs[0]])
    assert again == tuned


def test_a_report_is_read_as_it_was_written(tuned, tmp_path):
    assert tuning.read_tuning(written(tmp_path, tuned.plain())) == tuned
