"""Whether timm has a model: read from its source, since loading it takes seconds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from hoego.train.registered_models import HUB, require_registered


def require_known(name: str) -> None:
    """Raise TrainError where no model is called `name`; without torch or timm nothing is checked.

    Old names of timm's and models of other packages are in the registry alone, which is asked last.
    """
    timm = find_spec("timm")
    if name.startswith(HUB) or timm is None or timm.origin is None or find_spec("torch") is None:
        return
    entry = f"@register_model\ndef {name.partition('.')[0]}("
    sources = (*Path(timm.origin).parent.glob("models/*.py"), Path(__file__).with_name("small32.py"))
    if not any(entry in path.read_text(encoding="utf-8") for path in sources):
        import hoego.train.small32  # noqa: F401

        require_registered(name)
