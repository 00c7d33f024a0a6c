"""Files of published weights on this machine: where they lie, what they are, whether they are what they say."""

from hoego.weights.facts import Found, Wanted, licence_note, sha256_of, spdx
from hoego.weights.packages import PackagedWeights, packaged
from hoego.weights.places import Searched, find, here, local_dir, offline

__all__ = [
    "Found",
    "PackagedWeights",
    "Searched",
    "Wanted",
    "find",
    "here",
    "licence_note",
    "local_dir",
    "offline",
    "packaged",
    "sha256_of",
    "spdx",
]
