"""What a recipe starts from, decided before the photos are decoded: a file, and its preprocessing."""

from __future__ import annotations

import socket
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import getproxies

from hoego.errors import TrainError, nearest
from hoego.recipe import Inputs, ModelSettings, Recipe, contradictions, fill
from hoego.results.weights import StartingWeights, UsedPreprocessing
from hoego.train.known_models import require_known
from hoego.weights import Found, Searched, Wanted, find, licence_note, local_dir, offline

SOURCES = ("hf-hub:", "hf_hub:", "local-dir:")


@dataclass(frozen=True)
class Start:
    """What a training starts from.

    Args:
        recipe: with everything filled in that belongs to the weights.
        found: the published weights; None for a network from scratch or from a checkpoint.
        inputs: what the weights expect; None where nothing says it.
        notes: what must be said: settings that contradict the weights, a licence.
    """

    recipe: Recipe
    found: Found | None = None
    inputs: Inputs | None = None
    notes: tuple[str, ...] = ()

    def recorded(self) -> StartingWeights:
        """Return what the record says of it."""
        used = self.recipe
        preprocessing = UsedPreprocessing(
            size=used.dataset.size,
            interpolation=used.dataset.interpolation,
            mean=used.model.mean,
            std=used.model.std,
        )
        file = {} if self.found is None else dict(self.found.described())
        return StartingWeights(**file, preprocessing=preprocessing, notes=self.notes)


def start_of(recipe: Recipe) -> Start:
    """Find what a recipe starts from, and fill in the preprocessing that it leaves to the weights.

    `model.checkpoint` comes before every other place. Published weights are looked for in `weights.folder`, in
    HOEGO_WEIGHTS, in the caches of the hub and of torch, in installed packages, and on the network unless
    HF_HUB_OFFLINE forbids it.

    Raises:
        TrainError: they are nowhere (naming each place), or a file is not what it says.
    """
    model = recipe.model
    if model.checkpoint is not None:
        inputs = _inputs_of_checkpoint(model)
        return Start(fill(recipe, inputs), None, inputs, contradictions(recipe, inputs) if inputs else ())
    if not model.pretrained:
        return Start(fill(recipe))
    found = find_weights(model.name, folder_of(recipe))
    inputs = Inputs.of(found.config)
    notes = [*contradictions(recipe, inputs), licence_note(found)]
    return Start(fill(recipe, inputs), found, inputs, tuple(n for n in notes if n))


def recorded_start(recipe: Recipe, sha256: str | None, *, what: str, instead: str) -> Start:
    """Find what a recipe starts from, which must be the weights that a record names.

    Args:
        recipe: the record's.
        sha256: of the recorded weights; None where the record names none.
        what: the beginning of the error's sentence.
        instead: what else can be done where the recorded file is lost.

    Raises:
        TrainError: the weights are nowhere, or the file of that name is another one.
    """
    start = start_of(recipe)
    if start.found is not None and sha256 is not None and start.found.sha256 != sha256:
        raise TrainError(
            f"{what} weights of sha256 {sha256[:12]}…; {start.found.place} has "
            f"{start.found.sha256[:12]}… under the same name.",
            file=start.found.path,
            remedy=f"Put the recorded file there, or {instead}.",
        )
    return start


def folder_of(recipe: Recipe) -> Path | None:
    """Return `weights.folder` of a recipe."""
    return None if recipe.weights.folder is None else Path(recipe.weights.folder)


def find_weights(name: str, folder: Path | None = None, *, network: bool = True) -> Found:
    """Find the published weights of a timm model, on this machine or else on the network.

    Raises:
        TrainError: there are none of this name, or no place has them.
    """
    if name.startswith("local-dir:"):
        return local_dir(Path(name.partition(":")[2]))
    wanted = wanted_of(name)
    found = find(wanted, folder)
    if isinstance(found, Found):
        return found
    reason = "HF_HUB_OFFLINE forbids it" if offline() else "not asked"
    if network and not offline():
        reason = _download(wanted)
        again = find(wanted, folder)
        if isinstance(again, Found):
            return again
    raise _nowhere(wanted, found, reason)


def wanted_of(name: str) -> Wanted:
    """Return what timm publishes under a name, with its tag (the default one where the name has none).

    Raises:
        TrainError: timm has no such model, or no weights of that tag.
    """
    import timm
    from timm.models import list_pretrained

    if name.startswith(("hf-hub:", "hf_hub:")):
        hub = name.partition(":")[2]
        return Wanted(model=hub, hub=hub)
    require_known(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        config = None
    model = name.partition(".")[0]
    if config is None or not (config.url or config.hf_hub_id or config.file):
        tags = list_pretrained(f"{model}*")
        mine = [t for t in tags if t.partition(".")[0] == model]
        remedy = (
            f"Published: {', '.join(mine)}."
            if mine
            else "Set model.pretrained = false, or name another model."
        )
        near = nearest(name, tags) if not mine and tags else ""
        raise TrainError(f"There are no published weights {name}.", remedy=f"{remedy} {near}".strip())
    url = config.url if isinstance(config.url, str) else ""
    facts = {
        k: v for k, v in vars(config).items() if v is not None and k not in ("url", "file", "state_dict")
    }
    return Wanted(model=model, tag=config.tag or "", hub=config.hf_hub_id or "", url=url, config=facts)


def _download(wanted: Wanted) -> str:
    """Let timm fetch the weights into its cache; the reason where it cannot."""
    import timm

    if wanted.hub and (reason := _unknown_host()):
        return reason
    name = f"hf-hub:{wanted.hub}" if wanted.model == wanted.hub else wanted.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timm.create_model(name, pretrained=True)
    except Exception as e:
        return f"{type(e).__name__}: {' '.join(str(e).split())[:120]}"
    return "fetched, and not in the cache"


def _unknown_host() -> str:
    """Return the error if the hub's host has no address (its client would try for a minute); "" if it may be
    asked.
    """
    from timm.models._hub import HfApi, has_hf_hub  # type: ignore[attr-defined]

    if not has_hf_hub() or getproxies():
        return ""
    try:
        socket.getaddrinfo(urlparse(HfApi().endpoint).hostname, 443)
    except OSError as e:
        return f"{type(e).__name__}: {e}"
    return ""


def _nowhere(wanted: Wanted, searched: Searched, reason: str) -> TrainError:
    near = f" But {'; '.join(searched.near)}." if searched.near else ""
    places = "; ".join([*searched.places, f"the network ({reason})"])
    return TrainError(
        f"The published weights {wanted.name} were not found. Looked in: {places}.{near}",
        remedy="On a connected machine: hoego weights fetch "
        f"{wanted.name} --to FOLDER; then here: hoego weights add FOLDER. Or set model.checkpoint = FILE, "
        "or model.pretrained = false.",
    )


def _inputs_of_checkpoint(model: ModelSettings) -> Inputs | None:
    """Return the inputs that a checkpoint expects: from a checkpoint of Hoego itself, else from timm's
    configuration.
    """
    from hoego.train.checkpoints import about_weights

    about = about_weights(Path(str(model.checkpoint)))
    if "recipe" in about:
        data, own = about["recipe"]["dataset"], about["recipe"]["model"]
        return Inputs.of(
            {
                "input_size": (3, *data["size"]),
                "interpolation": data["interpolation"],
                "mean": own["mean"],
                "std": own["std"],
            }
        )
    if model.name.startswith(SOURCES):
        return None
    try:
        return Inputs.of(wanted_of(model.name).config)
    except TrainError:
        return None
