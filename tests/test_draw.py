"""Charts: well-formed, escaped, and placed where the numbers say."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from hoego.draw import (
    ForestRow,
    LineSeries,
    bars,
    forest,
    heatmap,
    lines,
    page,
    reliability,
    scatter,
    waterfall,
)
from hoego.draw.svg import AxisScale

HOSTILE = '<b onclick="x">&'
CHARTS = {
    "forest": lambda t: forest(
        [ForestRow(label=t, value=0.1, low=0.0, high=0.2), ForestRow(label=t, value=None)], zero=0
    ),
    "lines": lambda t: lines(
        [LineSeries(label=t, x=[1, 2, 3], y=[0.1, float("nan"), 0.3])], x_label=t, y_label=t
    ),
    "heatmap": lambda t: heatmap([[5, 1], [0, 0]], [t, "b"], [t, "b"]),
    "waterfall": lambda t: waterfall(
        ForestRow(label="now", value=0.7),
        [ForestRow(label=t, value=0.2, low=0.1, high=0.3)],
        ForestRow(label="all", value=1.0),
    ),
    "bars": lambda t: bars([t, "b"], [0, 3], other=[1, 2]),
    "reliability": lambda t: reliability([(0.5, 0.4, 10), (0.9, 0.9, 0)], label=t),
    "scatter": lambda t: scatter([(0.1, 0.2, t)], x_label=t, y_label=t, diagonal=True),
}


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_well_formed_and_escapes_what_it_is_told(name: str) -> None:
    drawn = CHARTS[name](HOSTILE)
    root = ElementTree.fromstring(drawn)
    assert root.tag == "svg"
    assert not root.findall(".//b")


@pytest.mark.parametrize(
    "empty", [forest([]), lines([]), scatter([], x_label="x", y_label="y"), bars([], [])]
)
def test_nothing_to_show_is_a_picture_too(empty: str) -> None:
    ElementTree.fromstring(empty)


def test_a_forest_row_stands_where_its_value_is() -> None:
    drawn = forest(
        [ForestRow(label="a", value=0.0), ForestRow(label="b", value=1.0), ForestRow(label="c", value=0.5)]
    )
    x = [float(v) for v in re.findall(r'<circle cx="([\d.]+)"', drawn)]
    assert x[2] == pytest.approx((x[0] + x[1]) / 2, abs=0.1)


def test_a_waterfall_step_is_as_high_as_its_gain() -> None:
    drawn = waterfall(
        ForestRow(label="now", value=0.6),
        [ForestRow(label="a", value=0.3), ForestRow(label="b", value=0.1)],
        ForestRow(label="all", value=1.0),
    )
    heights = [float(v) for v in re.findall(r'<rect [^>]*height="([\d.]+)"', drawn)]
    assert heights[1] == pytest.approx(3 * heights[2], rel=0.02)


def test_ticks_are_round_and_inside() -> None:
    ticks = AxisScale(0.703, 0.747, 0, 100).ticks()
    assert ticks == pytest.approx([0.71, 0.72, 0.73, 0.74])


def test_a_page_escapes_its_title_and_needs_nothing_from_outside() -> None:
    made = page(HOSTILE, "<h1>x</h1>")
    assert HOSTILE not in made
    assert not re.search(r'(src|href)="https?:', made)
