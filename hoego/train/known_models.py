"""Whether timm has a model: read from its source, since loading it takes seconds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from hoego.errors import TrainError, nearest

HUB = ("hf-hub:", "hf_hub:", "local-dir:")


def require_known(name: str) -> None:
    """Raise TrainError where no model is called `name`; without torch or timm nothing is checked."""
    timm = find_spec("timm")
    if name.startswith(HUB) or timm is None or timm.origin is None or find_spec("torch") is None:
        return
    entry = f"@register_model\ndef {name.partition('.')[0]}("
    sources = (*Path(timm.origin).parent.glob("models/*.py"), Path(__file__).with_name("models.py"))
    if not any(entry in path.read_text(encoding="utf-8") for path in sources):
        import hoego.train.models  # noqa: F401

        require_registered(name)


def require_registered(name: str) -> None:
    """Check `name` against timm's registry, which alone knows old names and models of other packages."""
    import timm

    if not name.startswith(HUB) and not timm.is_model(name):
        remedy = nearest(name, timm.list_models()) if name else "Set model.name."
        raise TrainError(f"timm has no model {name!r}.", remedy=remedy)
