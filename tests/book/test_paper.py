"""The paper's numbers agree with each other wherever arithmetic says that they must."""

import pandas as pd
import pytest

from tinyvgg import paper
from tinyvgg.book import records
from tinyvgg.errors import UserError
from tinyvgg.paper import number

TASKS = ("subject", "emotion")


def minimal(**changes):
    claim = {"part": "p", "kind": "shown", "title": "t", "place": "here", "statement": "s"}
    contents = {
        "source": {},
        "claims": {"T2": claim},
        "numbers": {
            "t2": {
                "subject": {
                    "place": "Table 2",
                    "errors": {"value": 3, "unit": "count", "label": "e"},
                }
            }
        },
        "table1": [],
        "table3": {
            "classes": ["a", "b"],
            "cases": [{"case": 1, "before": [0.9, 0.1], "after": [0.2, 0.8]}],
        },
    }
    return contents | changes


# --- arithmetic within the paper


@pytest.mark.parametrize("task", TASKS)
def test_accuracy_is_one_less_the_share_of_errors_to_the_printed_digits(task):
    errors, tests = number(f"t2.{task}.errors"), number(f"t2.{task}.test_size")
    assert round(1 - errors / tests, 4) == number(f"t2.{task}.accuracy")


@pytest.mark.parametrize(("claim", "task"), [("m1", "subject"), ("m2", "emotion")])
def test_errors_by_angle_add_up_to_all_errors(claim, task):
    by_angle = [number(f"{claim}.{task}.errors_{angle}") for angle in (45, 90, 135)]
    assert sum(by_angle) == number(f"{claim}.{task}.errors") == number(f"t2.{task}.errors")


def test_design_multiplies_out_to_the_counts_of_images():
    subjects, emotions = number("d1.both.subjects"), number("d1.both.emotions")
    gazes, angles = number("d1.both.gazes"), number("d1.both.angles")
    assert emotions * gazes * angles == number("d1.both.images_per_subject")
    assert subjects * number("d1.both.images_per_subject") == number("d1.both.images")
    assert angles - 2 == number("d2.both.angles")
    assert subjects * emotions * gazes * number("d2.both.angles") == number("d2.both.images")


def test_identity_split_fills_its_cells():
    cells, size = number("d3.subject.cells"), number("d3.subject.images_per_cell")
    chosen = number("d3.subject.train_per_cell")
    assert cells == number("d1.both.subjects") * number("d2.both.angles")
    assert size == number("d1.both.emotions") * number("d1.both.gazes")
    assert cells * chosen == number("d3.subject.train") == number("t2.subject.train_size")
    assert cells * (size - chosen) == number("d3.subject.test") == number("t2.subject.test_size")


def test_emotion_split_of_table_and_of_text_both_use_every_image():
    cells, size = number("d4.emotion.cells"), number("d4.emotion.images_per_cell")
    train, test = number("d4.emotion.train_per_cell"), number("d4.emotion.test_per_cell")
    assert cells == number("d1.both.emotions") * number("d2.both.angles")
    assert size == number("d1.both.subjects") * number("d1.both.gazes") == train + test
    assert cells * train == number("d4.emotion.train")
    assert cells * test == number("d4.emotion.test")
    assert cells * number("d4.emotion.train_per_cell_text") == number("d4.emotion.train_text")
    assert number("d4.emotion.train_text") + number("d4.emotion.test_text") == number(
        "d2.both.images"
    )


@pytest.mark.parametrize("task", TASKS)
def test_split_uses_all_images(task):
    sizes = [number(f"t2.{task}.{part}_size") for part in ("train", "test")]
    assert sum(sizes) == number("d2.both.images")


def test_last_maps_follow_from_table_1():
    table = paper.table1()
    pools = table[table["layer"] == "max-pool"]
    side = number("t1.both.size")
    for stride in pools["stride"]:
        side //= stride
    assert side == number("t1.both.last_size")
    assert side**2 * table["maps"].dropna().iloc[-1] == number("t1.both.last_pixels")


def test_common_pixels_overlap_as_stated():
    right, wrong = number("s1.subject.pixels_right"), number("s1.subject.pixels_wrong")
    common = number("s1.subject.common")
    assert number("s1.subject.unique_wrong") == wrong - common
    assert number("s1.subject.jaccard") == round(common / (right + wrong - common), 4)


def test_probabilities_of_one_image_do_not_exceed_one():
    before = number("s2.subject.wrong_before_predicted") + number("s2.subject.wrong_before_true")
    after = number("s2.subject.wrong_after_predicted") + number("s2.subject.wrong_after_true")
    assert before <= 1
    assert number("s2.subject.wrong_after_elsewhere") == pytest.approx(1 - after)


# --- Table 3


def smallest_equal(values: pd.Series) -> int:
    return int((values == values.min()).sum())


def test_each_row_of_table_3_is_a_distribution():
    sums = paper.table3().groupby("case")[["before", "after"]].sum()
    assert len(sums) == number("t3.emotion.cases")
    assert (sums.sub(1).abs() < 1e-3).all(axis=None)


def test_suppression_changes_the_answer_in_every_case_of_table_3():
    table = paper.table3()
    assert table.groupby("case")[["predicted", "true"]].sum().eq(1).all(axis=None)
    assert not (table["predicted"] & table["true"]).any()
    assert number("s4.emotion.repaired_unique") == table["true"].sum()


def test_smallest_probabilities_of_table_3_are_equal_only_after_suppression():
    cases = paper.table3().groupby("case")
    after, before = cases["after"].agg(smallest_equal), cases["before"].agg(smallest_equal)
    assert after.min() == number("t3.emotion.fewest_equal_after")
    assert after.max() == number("t3.emotion.most_equal_after")
    assert (before > 1).sum() == number("t3.emotion.rows_equal_before")


# --- access


def test_a_misspelt_key_is_refused_with_its_neighbours():
    with pytest.raises(
        UserError, match=r"'t2\.subject\.acuracy': did you mean t2\.subject\.accuracy"
    ):
        number("t2.subject.acuracy")


def test_every_number_has_a_label_a_unit_and_a_place():
    for key, about in paper.load().numbers.items():
        assert about.label, key
        assert about.unit, key
        assert about.place, key
        assert about.value is not None, key


def test_claims_name_a_chapter_unless_they_are_out_of_scope():
    for claim in paper.claims():
        assert claim.kind in ("shown", "asserted"), claim.id
        assert claim.chapter or claim.out_of_scope_now, claim.id


def test_a_number_without_claim_is_refused():
    numbers = {"q9": {"both": {"x": {"value": 1, "unit": "count", "label": "x"}}}}
    with pytest.raises(UserError, match=r"'q9\.both\.x' in paper.toml belongs to no claim"):
        paper.parse(minimal(numbers=numbers))


def test_a_reference_to_nothing_is_refused():
    numbers = {"t2": {"subject": {"x": {"same_as": "t2.subject.y"}}}}
    with pytest.raises(UserError, match=r"points to 't2\.subject\.y'"):
        paper.parse(minimal(numbers=numbers))


# --- the comparison that chapters show


def test_compare_sets_the_papers_number_beside_ours():
    table = paper.compare(
        [
            ("accuracy", "t2.subject.accuracy", 0.9512, (0.94, 0.96)),
            ("errors", "t2.subject.errors", 1234),
            ("pixels", "b1.emotion.pixels", 70.25),
        ]
    )
    assert table.to_numpy().tolist() == [
        ["accuracy", "97.55%", "95.12%", "94.00 to 96.00%", "Table 2"],
        ["errors", "59", "1,234", "—", "Preliminary evaluation, misclassified cases"],
        ["pixels", "188", "70.2", "—", "Visualization of the feature maps"],
    ]
    assert list(table) == ["quantity", "paper", "ours", "95 % interval", "place in the paper"]


def test_compare_shows_a_dash_where_the_paper_has_no_number():
    row = paper.compare([("literal", "b1.subject.pixels_literal", 1731.04)]).iloc[0]
    assert row["paper"] == row["place in the paper"] == "—"
    assert row["ours"] == "1,731.0"


def test_compare_shows_a_dash_where_we_have_no_number():
    assert paper.compare([("errors", "t2.subject.errors", None)]).iloc[0]["ours"] == "—"
    assert paper.compare([("errors", "t2.subject.errors", float("nan"))]).iloc[0]["ours"] == "—"


def test_compare_takes_the_label_of_the_paper_when_given_none():
    assert (
        paper.compare([("", "m1.subject.errors_45", 1)]).iloc[0]["quantity"]
        == "identity: errors at 45°"
    )


def test_a_task_that_the_paper_lacks_is_formatted_like_its_sibling():
    row = paper.compare([("", "t2.class.accuracy", 0.5)]).iloc[0]
    assert (row["quantity"], row["paper"], row["ours"]) == ("class: test accuracy", "—", "50.00%")


def test_a_key_of_no_claim_is_refused_by_compare():
    with pytest.raises(UserError, match=r"'q9\.subject\.x' is not claim\.task\.name"):
        paper.compare([("x", "q9.subject.x", 1)])
    with pytest.raises(UserError, match=r"'t2\.accuracy' is not claim\.task\.name"):
        paper.compare([("x", "t2.accuracy", 1)])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9755, "percent", "97.55%"),
        (48, "name", "48"),
        (45, "degrees", "45°"),
        (1024, "pixels", "1024"),
        (25088, "count", "25,088"),
        (0.71131, "share", "0.711"),
        (0.000123456, "probability", "0.000123"),
        (70.26, "mean", "70.3"),
        (0.01, "value", "0.01"),
        (12345.678, "", "12,345.7"),
        (3.0, "", "3"),
        (None, "percent", "—"),
    ],
)
def test_units_decide_how_a_value_is_shown(value, unit, text):
    assert paper.show(value, unit) == text


# --- what only we measure


def test_no_two_quantities_of_a_claim_and_task_have_the_same_label():
    known = {**paper.load().ours, **paper.load().numbers}
    names = [(key.rsplit(".", 1)[0], about.label) for key, about in known.items()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("task", ["subject", "emotion", "class"])
def test_accuracies_and_shares_are_percentages_for_every_task(task):
    for name in ("t2.{}.best_accuracy", "f5.{}.train_accuracy", "b1.{}.share_cutoff"):
        assert paper.describe(name.format(task)).unit == "percent"
        assert "_" not in paper.describe(name.format(task)).label


def test_every_number_that_is_committed_has_a_label():
    path = records.results_path({"profile": "quick", "faces": "synthetic", "seed": 0})
    if not path.is_file():
        pytest.skip(f"{path.name} is not recorded yet")
    for key in records.read_results(path)[1].numbers:
        assert paper.describe(key).unit, key
