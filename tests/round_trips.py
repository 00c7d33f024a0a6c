"""What every result must do: be read back equal from Python and from strict JSON, and print itself briefly."""

from __future__ import annotations

import json

from hoego.results.base import Result


def round_trip(found: Result) -> None:
    """Hold that Python and JSON both give the object back, and that the JSON is strict."""
    assert type(found).model_validate(found.model_dump()) == found
    text = json.dumps(found.model_dump(mode="json"), allow_nan=False)
    assert type(found).model_validate(json.loads(text)) == found
    assert len(repr(found)) < 1500
