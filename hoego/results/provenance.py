"""Provenance as it stands in a file: names, sets of subjects and hashes, packed to text (see `hoego.packed`)."""

from __future__ import annotations

from hoego.results.base import Result


class PackedAliases(Result):
    """The further names of subjects, as `hoego.data.aliases.SubjectAliases` holds them."""

    column: str = ""
    keys: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()


class PackedUniverse(Result):
    """The subjects over which provenance is recorded, as `hoego.predictions.SubjectUniverse` holds them.

    Args:
        names: of the subjects [S].
        owner: position of each image's subject [N].
        contents: content hash of each image [N].
        aliases: `PackedAliases` as JSON; None in early files.
    """

    names: str
    owner: str
    contents: str
    aliases: str | None = None


class PackedSource(Result):
    """The source of some rows of predictions, as `hoego.predictions.RowProvenance` holds it.

    Args:
        name: run and fold, or the combination's name.
        seen, seen_through, selected: sets of subjects, as masks [S].
        seen_images: content hashes; None where whole subjects were seen.
        external: outside checkpoints.
        path: sentences that say how the subjects came to be seen.
        outside: "", "witnessed" or "declared"; files of format 1 have none, since every model was trained by Hoego.
    """

    name: str
    seen: str
    seen_through: str
    selected: str
    seen_images: str | None
    external: tuple[str, ...]
    path: tuple[str, ...]
    outside: str = ""


class PackedProvenance(Result):
    """The universe and the sources of a set of predictions, of weights or of a combination."""

    universe: PackedUniverse
    sources: tuple[PackedSource, ...]
