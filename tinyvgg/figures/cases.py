"""Figures of the two case studies: a pair of one subject, and an error for each emotion."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from torch import Tensor

from tinyvgg.cases import Case, Pairs, pixel_sets
from tinyvgg.figures import style
from tinyvgg.findings.case_tables import IMAGES, SET_NAMES, name_of
from tinyvgg.overlap import common_values
from tinyvgg.rules import Rule
from tinyvgg.runs import Run
from tinyvgg.suppression import DRAWS
from tinyvgg.tracking import track_features

NO_PAIR = "No error of this run has a right look-alike: there is nothing to show."
TRUE, MISTAKEN, OTHER = style.BLUE, style.RED, "#c9c9c9"


def pair_figure(run: Run, pair: Pairs) -> style.Drawn:
    """A right image, its misclassified look-alike, and what differs between them (Figure 9)."""
    if not len(pair):
        return style.Missing(NO_PAIR)
    case = pair.cases[0]
    right, wrong = _image(run, case.lookalike), _image(run, case.row)
    difference = np.abs(right.astype(np.float64) - wrong).mean(2)
    figure, axes = style.grid(1, 3, aspect=1.25)
    with style.styled():
        style.show_image(axes[0, 0], right, _answer(run, pair.right.probabilities[0], "a"))
        style.show_image(axes[0, 1], wrong, _answer(run, pair.wrong.probabilities[0], "b"))
        style.show_map(axes[0, 2], difference)
        axes[0, 2].set_title("difference of both, darkest where largest")
        axes[0, 0].set_xlabel(_wrapped(name_of(run, case.lookalike or 0)))
        axes[0, 1].set_xlabel(_wrapped(name_of(run, case.row)))
        axes[0, 2].set_xlabel(f"root mean square {case.distance:.3f} of the range")
        figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


def _image(run: Run, row: int | None) -> Float[np.ndarray, "h w 3"] | np.ndarray:
    assert row is not None
    return np.asarray(run.faces.images[row])


def _answer(run: Run, probabilities: Float[Tensor, "k"], letter: str) -> str:
    best = int(probabilities.argmax())
    answer = style.short(run.classes[best], 16)
    return f"({letter}) answer {answer}, p = {float(probabilities[best]):.2g}"


def _wrapped(words: str) -> str:
    parts = words.split(", ")
    middle = (len(parts) + 1) // 2
    return "\n".join(filter(None, [", ".join(parts[:middle]), ", ".join(parts[middle:])]))


def places_figure(pair: Pairs, rules: Mapping[str, Rule]) -> style.Drawn:
    """Where in the last maps each set of a pair's pixels lies, summed over the maps (claim S1)."""
    if not len(pair):
        return style.Missing(NO_PAIR)
    figure, axes = style.grid(len(rules), 4, aspect=1.15)
    with style.styled():
        for row, (name, rule) in zip(axes, rules.items(), strict=True):
            sets = pixel_sets(pair, rule)
            shown = {
                "right image": sets.right,
                "wrong image": sets.wrong,
                "common": sets.common,
                "only the wrong": sets.unique,
            }
            for ax, (title, pixels) in zip(row, shown.items(), strict=True):
                style.show_map(ax, pixels[0].sum(0).double().numpy(), float(pixels.shape[1]))
                ax.set_title(f"{title}: {int(pixels.sum())}")
                _frame(ax)
            row[0].set_ylabel(f"{name} rule")
    return figure


def _frame(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set(visible=True, color="#dddddd")


def values_figure(pair: Pairs, control: Pairs, rules: Mapping[str, Rule]) -> style.Drawn:
    """Values of the common pixels of one image against the other's (Figure 10), and a control.

    Args:
        pair: an error and its look-alike.
        control: the look-alike and another right image; there may be none.
        rules: a row of panels each.
    """
    if not len(pair):
        return style.Missing(NO_PAIR)
    figure, axes = style.grid(len(rules), 2, aspect=0.85)
    with style.styled():
        for row, (name, rule) in zip(axes, rules.items(), strict=True):
            _scatter(row[0], pair, rule, "wrong image (b)")
            row[0].set_title(f"{name} rule: right and wrong image")
            _scatter(row[1], control, rule, "another right image")
            row[1].set_title(f"{name} rule: two right images")
            _same_limits(row)
    return figure


def _scatter(ax: Axes, pair: Pairs, rule: Rule, other: str) -> None:
    ax.set(xlabel="value in the right image (a)", ylabel=f"value in {other}")
    if not len(pair):
        ax.text(0.5, 0.5, "no second right image", ha="center", transform=ax.transAxes)
        return
    first, second = common_values(pair, rule)[0]
    ax.scatter(first, second, s=6, alpha=0.5, color=style.BLUE, edgecolors="none")
    ax.axline((0, 0), slope=1, color=style.GRAY, linewidth=0.8)
    ax.text(0.97, 0.04, f"{len(first)} pixels", ha="right", transform=ax.transAxes)


def _same_limits(axes: Shaped[np.ndarray, "a"]) -> None:
    top = max(max(ax.dataLim.x1, ax.dataLim.y1) for ax in axes if len(ax.collections))
    for ax in axes:
        limit = 1.05 * top if np.isfinite(top) and top > 0 else 1.0
        ax.set(xlim=(0, limit), ylim=(0, limit))


def differences_figure(
    pairs: Mapping[str, pd.DataFrame], controls: Mapping[str, pd.DataFrame]
) -> style.Drawn:
    """Relative difference of common values, errors against controls, for each rule (claim F10).

    Args:
        pairs: `tinyvgg.overlap.overlap_table` of errors and look-alikes, by rule.
        controls: the same of look-alikes and other right images, in the same order.
    """
    if not sum(len(table) for table in controls.values()):
        return style.Missing("No look-alike has a second right image to be compared with.")
    figure, axes = style.grid(1, len(pairs), aspect=0.95)
    with style.styled():
        for ax, (name, table) in zip(axes[0], pairs.items(), strict=True):
            x, y = controls[name]["difference"].to_numpy(), table["difference"].to_numpy()
            ax.scatter(x, y, s=12, alpha=0.6, color=style.BLUE, edgecolors="none")
            ax.axline((0, 0), slope=1, color=style.GRAY, linewidth=0.8)
            ax.set(xlabel="two right images", ylabel="error and look-alike")
            above = int(np.nansum(y > x))
            ax.set_title(f"{name} rule: {above} of {len(y)} above the line")
        _same_limits(axes[0])
    return figure


def confidence_figure(tables: Mapping[str, pd.DataFrame], sets: Sequence[str]) -> style.Drawn:
    """Probabilities of a pair with and without pixels, for each rule (claim S2).

    Args:
        tables: `tinyvgg.findings.case_tables.confidence_table` by rule.
        sets: to show, from top to bottom.
    """
    if not sum(len(table) for table in tables.values()):
        return style.Missing(NO_PAIR)
    figure, axes = style.grid(len(tables), 2, aspect=0.55, sharex=True, sharey=True)
    with style.styled():
        for row, (rule, table) in zip(axes, tables.items(), strict=True):
            for ax, image in zip(row, IMAGES, strict=True):
                _bars(ax, _rows(table, image).loc[list(sets)])
                ax.set_title(f"{image}, {rule} rule")
        for ax in axes[-1]:
            ax.set_xlabel(f"probability\n(random: mean of {DRAWS} draws)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _rows(table: pd.DataFrame, label: str | int) -> pd.DataFrame:
    """The rows of one label of the outer level, by the labels of the inner one."""
    return table[table.index.get_level_values(0) == label].droplevel(0)


def _bars(ax: Axes, table: pd.DataFrame) -> None:
    names = [SET_NAMES[str(name)] for name in table.index]
    left = np.zeros(len(table))
    parts = {
        "true": (TRUE, "true class"),
        "mistaken": (MISTAKEN, "class that (b) was taken for"),
        "other": (OTHER, "all other classes"),
    }
    for column, (colour, label) in parts.items():
        width = table[column].to_numpy()
        ax.barh(np.arange(len(table)), width, left=left, color=colour, label=label)
        left = left + width
    for place, pixels in enumerate(table["pixels"]):
        box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
        ax.text(0.985, place, f"{pixels:.0f}", ha="right", va="center", fontsize=7, bbox=box)
    ax.set_yticks(np.arange(len(table)), names)
    ax.set_xlim(0, 1)
    if not ax.yaxis_inverted():
        ax.invert_yaxis()


def rates_figure(
    summaries: Mapping[str, pd.DataFrame], sets: Sequence[str], outcome: str
) -> style.Drawn:
    """How often something happened under each set, with 95 % intervals, a panel for each rule.

    Args:
        summaries: of `tinyvgg.suppression.summarise`, by title.
        sets: to show, from top to bottom.
        outcome: in words, for the axis.
    """
    if not sum(table["cases"].sum() for table in summaries.values()):
        return style.Missing(NO_PAIR)
    height = 0.09 * len(sets) + 0.25
    figure, axes = style.grid(1, len(summaries), aspect=height, sharey=True)
    with style.styled():
        for ax, (title, summary) in zip(axes[0], summaries.items(), strict=True):
            _rates(ax, summary.loc[list(sets)])
            ax.set_title(title)
        words = f"share of cases {outcome} (random pixels: mean of {DRAWS} draws)"
        figure.supxlabel(words, fontsize=9)
    return figure


def _rates(ax: Axes, part: pd.DataFrame) -> None:
    places = np.arange(len(part))
    rate = part["rate"].to_numpy()
    error = np.abs(np.stack([rate - part["low"], part["high"] - rate]))
    controls = part.index.str.startswith("random")
    colours = [style.GRAY if control else style.BLUE for control in controls]
    for place, middle, spread, colour in zip(places, rate, error.T, colours, strict=True):
        ax.errorbar(middle, place, xerr=spread[:, None], fmt="o", ms=4, color=colour, capsize=2)
    ax.set_yticks(places, [SET_NAMES[str(name)] for name in part.index])
    ax.set(xlim=(-0.03, 1.03), ylim=(len(part) - 0.5, -0.5))
    ax.grid(axis="x", color="#e5e5e5")


def eight_figure(run: Run, pairs: Pairs, rules: Mapping[str, Rule]) -> style.Drawn:
    """An error for each class that something was taken for, and its look-alike (Figure 11).

    Rows: errors, look-alikes, and for each rule the tracked features of the pixels unique to the
    error, each on its own scale.
    """
    if not len(pairs):
        return style.Missing(NO_PAIR)
    figure, axes = style.grid(2 + len(rules), len(pairs), cell=style.WIDTH / 8, aspect=1.2)
    with style.styled():
        for ax, case in zip(axes[0], pairs.cases, strict=True):
            name = style.short(run.classes[case.predicted], 16)
            style.show_image(ax, _image(run, case.row), name)
        for ax, case in zip(axes[1], pairs.cases, strict=True):
            name = style.short(run.classes[case.true], 16)
            style.show_image(ax, _image(run, case.lookalike), name)
        for row, (name, rule) in zip(axes[2:], rules.items(), strict=True):
            ink = style.strength(track_features(pairs.wrong, pixel_sets(pairs, rule).unique))
            for ax, values in zip(row, ink, strict=True):
                style.show_map(ax, values.astype(np.float64))
            row[0].set_ylabel(f"features,\n{name}", fontsize=7)
        axes[0, 0].set_ylabel("A, taken for", fontsize=7)
        axes[1, 0].set_ylabel("B, right as", fontsize=7)
        for ax in axes.flat:
            ax.title.set_fontsize(7)
        figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


def probabilities_figure(table: pd.DataFrame, cases: Sequence[Case]) -> style.Drawn:
    """Table 3 as a picture: probabilities before and after, the true class framed.

    Args:
        table: of `tinyvgg.findings.case_tables.probability_table`.
        cases: in its order.
    """
    if not len(table):
        return style.Missing(NO_PAIR)
    rows = -(-len(cases) // 4)
    figure, axes = style.grid(rows, 4, aspect=1.1, sharey=True)
    with style.styled():
        for number, (ax, case) in enumerate(zip(axes.flat, cases, strict=False), start=1):
            _before_after(ax, _rows(table, number), case)
            ax.set_title(f"case {number}")
        for ax in list(axes.flat)[len(cases) :]:
            ax.axis("off")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _before_after(ax: Axes, part: pd.DataFrame, case: Case) -> None:
    places = np.arange(part.shape[1])
    for offset, (state, colour) in enumerate((("before", "#b8b8b8"), ("after", style.BLUE))):
        values = part.loc[state].to_numpy(dtype=float)
        ax.barh(places + 0.4 * offset - 0.2, values, 0.4, color=colour, label=state, zorder=2)
    ax.set_yticks(places, [str(name) for name in part.columns], fontsize=7)
    ax.set(xlim=(0, 1), ylim=(part.shape[1] - 0.5, -0.5))
    ax.axhspan(case.true - 0.5, case.true + 0.5, color=style.GREEN, alpha=0.15, lw=0, zorder=0)
    ax.axhspan(
        case.predicted - 0.5, case.predicted + 0.5, color=style.RED, alpha=0.12, lw=0, zorder=0
    )
