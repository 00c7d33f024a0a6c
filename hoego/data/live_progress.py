"""Live progress bars: rich's, on a terminal and in a notebook."""

from __future__ import annotations

import io
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn

REDRAW_SECONDS = 0.25
"""Between two drawings in a notebook: each is a message to the browser and is kept in the page until the next."""


def live_progress(*columns: ProgressColumn | str) -> Progress | None:
    """Return a bar that is not started yet; None where nothing can be redrawn (a file, a pipe).

    Args:
        *columns: as `rich.progress.Progress` takes them; its own where none is given.
    """
    if in_notebook():
        return NotebookProgress(*columns)
    if sys.stderr.isatty():
        return Progress(*columns, console=Console(stderr=True), transient=True)
    return None


def in_notebook() -> bool:
    """Return whether a notebook's kernel runs this (Jupyter, Colab, Kaggle, VS Code): its shell has a kernel."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


class NotebookProgress(Progress):
    """A rich progress that redraws one output of a notebook.

    rich's own way needs ipywidgets and warns without them; an output that is updated in place works everywhere.
    """

    def __init__(self, *columns: ProgressColumn | str) -> None:
        # A fixed width: a kernel has no terminal to measure.
        console = Console(file=io.StringIO(), width=100, force_jupyter=False)
        super().__init__(*columns, console=console, auto_refresh=False)
        self._handle: Any = None
        self._drawn = 0.0

    def start(self) -> None:
        """Show the bar below the cell."""
        from IPython import display

        untyped: Any = display
        self._handle = untyped.display(untyped.HTML(self._html()), display_id=True)

    def stop(self) -> None:
        """Draw the last state, which stays."""
        self._draw()

    def update(self, *args: Any, **fields: Any) -> None:
        """Change a task, as `rich.progress.Progress.update` does, and draw it now and then."""
        super().update(*args, **fields)
        if time.monotonic() - self._drawn >= REDRAW_SECONDS:
            self._draw()

    def _draw(self) -> None:
        if self._handle is not None:
            from IPython import display

            untyped: Any = display
            self._drawn = time.monotonic()
            self._handle.update(untyped.HTML(self._html()))

    def _html(self) -> str:
        page = Console(file=io.StringIO(), width=100, record=True, force_jupyter=False)
        page.print(self.get_renderable())
        return page.export_html(inline_styles=True, code_format='<pre style="margin:0">{code}</pre>')
