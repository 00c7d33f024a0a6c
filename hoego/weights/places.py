"""Where weights are looked for, in order: folders, the hub's cache, torch's cache, installed packages. No network."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hoego.errors import TrainError
from hoego.weights.facts import Found, Wanted, require_hash, spdx
from hoego.weights.packages import packaged

FILES = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth")
SUFFIXES = (".safetensors", ".pth", ".bin", ".pt")
CONFIG, LOCK = "config.json", "hoego-weights.json"
VARIABLE = "HOEGO_WEIGHTS"


def offline() -> bool:
    """Return whether HF_HUB_OFFLINE forbids the network; read from the environment, so before timm is imported."""
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in ("1", "ON", "YES", "TRUE")


def own_folder() -> Path:
    """Return the user's folder of weights, which `hoego weights add` fills where no other is named."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "hoego" / "weights"


def folders(named: Path | None) -> list[tuple[Path, str]]:
    """Return the folders of weights, with who names each: the recipe, the environment, the user's own."""
    out = [] if named is None else [(named, "weights.folder")]
    if text := os.environ.get(VARIABLE):
        out.append((Path(text).expanduser(), VARIABLE))
    return [*out, (own_folder(), "the user's folder of weights")]


def folder_to_fill() -> Path:
    """Return the folder that `hoego weights fetch` and `add` fill: HOEGO_WEIGHTS, else the user's own."""
    text = os.environ.get(VARIABLE)
    return Path(text).expanduser() if text else own_folder()


def hub_cache() -> Path:
    """Return the folder of the Hugging Face cache."""
    if text := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(text).expanduser()
    home = os.environ.get("HF_HOME")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return (Path(home).expanduser() if home else Path(base) / "huggingface") / "hub"


def torch_cache() -> Path:
    """Return the folder of torch's downloaded checkpoints."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("TORCH_HOME") or Path(base) / "torch").expanduser() / "hub" / "checkpoints"


@dataclass(frozen=True)
class Searched:
    """The places that were looked at, in order, in words; `near` names what some of them hold instead."""

    places: tuple[str, ...]
    near: tuple[str, ...] = ()


def find(wanted: Wanted, folder: Path | None = None) -> Found | Searched:
    """Look for weights on this machine, without the network; the first place that has them wins.

    Args:
        wanted: what is looked for.
        folder: `weights.folder` of the recipe.

    Returns:
        the file, or the places that do not have it.

    Raises:
        TrainError: a place has a file of that name that is another one: its hash or its config says so.
    """
    for where, who in folders(folder):
        if found := _in_folder(where, wanted, f"{who} ({where})"):
            return found
    if found := _in_hub_cache(wanted) or _in_torch_cache(wanted) or _in_packages(wanted):
        return found
    places = [f"{who} ({where})" for where, who in folders(folder)]
    places += [f"the Hugging Face cache ({hub_cache()})", f"torch's cache ({torch_cache()})"]
    installed = [w.distribution for w, _ in packaged()]
    places.append(f"installed packages ({', '.join(installed) or 'none with weights'})")
    return Searched(tuple(places), tuple(_near(wanted, folder)))


def here(folder: Path | None = None) -> Iterator[Found | TrainError]:
    """Give every file of weights on this machine, place by place; for one that is not what it says, the error."""
    for look in _looks(folder):
        try:
            found = look()
        except TrainError as problem:
            yield problem
        else:
            if found is not None:
                yield found


def _looks(folder: Path | None) -> Iterator[Callable[[], Found | None]]:
    for where, who in folders(folder):
        for name in sorted(_names_in(where)):
            yield partial(_in_folder, where, Wanted.named(name), f"{who} ({where})")
    for repository in sorted(hub_cache().glob("models--timm--*")):
        yield partial(_in_hub_cache, Wanted.named(repository.name.removeprefix("models--timm--")))
    for weights, _ in packaged():
        yield partial(_in_packages, Wanted(model=weights.model, tag=weights.tag))


def local_dir(folder: Path) -> Found:
    """Return the weights of a folder in timm's form (`local-dir:`): config.json beside the file.

    Raises:
        TrainError: the folder has no weights or no config.json.
    """
    path, config = _file_in(folder), _config(folder)
    if path is None or not config:
        raise TrainError(
            "The folder has no weights in timm's form.",
            file=folder,
            remedy=f"It needs {CONFIG} and one of: {', '.join(FILES)}.",
        )
    return _described(folder, path, Wanted.named(_says(config)), f"the folder {folder}")


def _names_in(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    named = {p.name for p in folder.iterdir() if p.is_dir() and _file_in(p)}
    return named | {p.name.removesuffix(p.suffix) for p in folder.iterdir() if p.suffix in SUFFIXES}


def _file_in(folder: Path) -> Path | None:
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def _in_folder(folder: Path, wanted: Wanted, place: str) -> Found | None:
    """Find NAME.TAG/model.safetensors, NAME.TAG.safetensors, the URL's file name, or a folder in timm's own
    layout.
    """
    inside = folder / wanted.name
    if path := _file_in(inside):
        return _described(inside, path, wanted, place)
    whole = _config(folder)
    if whole and _says(whole) in (wanted.name, wanted.model) and (path := _file_in(folder)):
        return _described(folder, path, wanted, place)
    names = [f"{wanted.name}{suffix}" for suffix in SUFFIXES]
    if wanted.file_name:
        names.append(wanted.file_name)
    for name in names:
        if (folder / name).is_file():
            return _found(folder / name, wanted, place, _hash_in(name), "its name")
    return None


def _described(folder: Path, path: Path, wanted: Wanted, place: str) -> Found:
    """Return a file with a config.json and perhaps a lock beside it; both must give the same name."""
    config, lock = _config(folder), _json(folder / LOCK)
    for said, file in ((_says(config), CONFIG), (str(lock.get("name", "")), LOCK)):
        if said and said not in (wanted.name, wanted.model):
            raise TrainError(
                f"The folder is named {wanted.name}, but its {file} says that the weights are those of {said}.",
                file=path,
                remedy=f"Set model.name = {said!r}, or put the weights of {wanted.name} there.",
            )
    found = _found(path, wanted, place, str(lock.get("sha256", "")), LOCK)
    return _with_own(found, config, str(lock.get("licence", "")))


def _with_own(found: Found, config: Mapping[str, Any], licence: str = "") -> Found:
    """Add the facts of the config.json beside the file: it describes these weights better than timm's list."""
    own = dict(config.get("pretrained_cfg") or {})
    said = licence or own.get("license")
    return replace(
        found, config={**found.config, **own}, licence=spdx(said) if said is not None else found.licence
    )


def _says(config: Mapping[str, Any]) -> str:
    """Return the name with its tag from a config.json; "" if it gives none."""
    model = str(config.get("architecture") or "")
    tag = str((config.get("pretrained_cfg") or {}).get("tag") or "")
    return f"{model}.{tag}" if model and tag else model


def _config(folder: Path) -> dict[str, Any]:
    return _json(folder / CONFIG)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as e:
        raise TrainError(f"Not readable: {e}", file=path, remedy="Fetch or add the weights again.") from None
    return content if isinstance(content, dict) else {}


def _found(path: Path, wanted: Wanted, place: str, expected: str, says: str) -> Found:
    return Found(
        path=path,
        place=place,
        model=wanted.model,
        tag=wanted.tag,
        sha256=require_hash(path, expected, says),
        licence=spdx(wanted.config.get("license")),
        config=wanted.config,
    )


def _hash_in(name: str) -> str:
    """Return the first digits of a file's hash, in which torch.hub's names end; "" if the name has none."""
    found = re.search(r"-([a-f0-9]{8,})\.", name)
    return found.group(1) if found else ""


def _in_hub_cache(wanted: Wanted) -> Found | None:
    """Return the snapshot that `refs/main` names; a blob is named by the hash of its content."""
    repository = hub_cache() / f"models--{wanted.hub.replace('/', '--')}"
    reference = repository / "refs" / "main"
    if not wanted.hub or not reference.is_file():
        return None
    snapshot = repository / "snapshots" / reference.read_text().strip()
    path = _file_in(snapshot)
    if path is None:
        return None
    blob = path.resolve().name
    expected = blob if re.fullmatch(r"[a-f0-9]{64}", blob) else ""
    found = _found(path, wanted, f"the Hugging Face cache ({snapshot})", expected, "the cache")
    return _with_own(found, _config(snapshot))


def _in_torch_cache(wanted: Wanted) -> Found | None:
    path = torch_cache() / wanted.file_name
    if not wanted.file_name or not path.is_file():
        return None
    return _found(path, wanted, f"torch's cache ({path.parent})", _hash_in(path.name), "its name")


def _in_packages(wanted: Wanted) -> Found | None:
    for weights, path in packaged():
        if (weights.model, weights.tag) == (wanted.model, wanted.tag):
            return Found(
                path=path,
                place=f"the package {weights.distribution}",
                model=weights.model,
                tag=weights.tag,
                sha256=require_hash(path, weights.sha256, "Hoego"),
                licence=weights.licence,
                config={**wanted.config, **weights.config},
                package=weights,
            )
    return None


def _near(wanted: Wanted, folder: Path | None) -> Iterator[str]:
    """Yield weights like the wanted ones: the same architecture, or a name that ends in it."""
    for where, who in folders(folder):
        for name in sorted(_names_in(where)):
            if name.partition(".")[0] == wanted.model:
                yield f"{who} ({where}) has {name}"
    for weights, _ in packaged():
        if weights.model.endswith(wanted.model) or wanted.model.endswith(weights.model):
            yield (
                f"the package {weights.distribution} has {weights.model}.{weights.tag}, "
                f"whose outputs are wrong in {wanted.model}"
                if weights.model != wanted.model
                else f"the package {weights.distribution} has {weights.model}.{weights.tag}"
            )
