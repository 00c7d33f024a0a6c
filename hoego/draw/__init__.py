"""Pictures of numbers as inline SVG: no script, no font to load, readable in light, in dark and on paper.

Colours are CSS variables of `STYLE`, which a page includes once. Every function returns one `<svg>` element whose
text is escaped.
"""

from hoego.draw.card import card, class_bars, notebook_chart
from hoego.draw.charts import (
    ForestRow,
    LineSeries,
    bars,
    forest,
    heatmap,
    lines,
    reliability,
    scatter,
    waterfall,
)
from hoego.draw.matrix import matrix
from hoego.draw.page import STYLE, page
from hoego.draw.parallel import ParallelAxis, parallel

__all__ = [
    "STYLE",
    "ForestRow",
    "LineSeries",
    "ParallelAxis",
    "bars",
    "card",
    "class_bars",
    "forest",
    "heatmap",
    "lines",
    "matrix",
    "notebook_chart",
    "page",
    "parallel",
    "reliability",
    "scatter",
    "waterfall",
]
