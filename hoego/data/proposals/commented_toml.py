"""A commented hoego.toml from what was inferred."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hoego import toml_text
from hoego.results.base import Result

Settings = dict[str, dict[str, Any]]
Certainty = Literal["sure", "likely", "unsure"]
REASON_OF = {
    "subject_regex": "subject",
    "table": "layout",
    "exclude": "unlabelled",
    "pattern": "layout",
    "label_regex": "layout",
}
"""The inference that explains a setting, where it has another name."""


class InferredSetting(Result):
    """One thing that was inferred.

    Args:
        what: the setting or fact; `passed over` for what was left out.
        value: what it was taken for.
        certainty: sure, likely, unsure or problem.
        reason: the evidence.
        question: what a person has to decide; empty where nothing is to be asked.
    """

    what: str
    value: str
    certainty: str
    reason: str
    question: str = ""


class TomlWriter:
    """TOML with a comment on every line that was inferred."""

    def __init__(self, settings: Settings, inferences: Sequence[InferredSetting], n_images: int) -> None:
        self.settings, self.inferences, self.n_images = settings, inferences, n_images
        self.why = {i.what: f"{i.certainty}: {i.reason}" for i in inferences}
        self.questions = [i.question for i in inferences if i.question]

    def text(self, root: Path, folder: Path) -> str:
        """Return the file as it would lie in `folder`, for photos in `root`."""
        dataset = {"root": _relative(root, folder), **self.settings["dataset"]}
        lines = [
            f"# Proposed by `hoego init`: {self.n_images:,} photos. Every line says how sure it is;",
            "# correct what is wrong. `hoego settings` lists what else can be set.",
            "",
            "[dataset]",
            *(
                self._line(k, v, self.why.get(k) or self.why.get(REASON_OF.get(k, ""), ""))
                for k, v in dataset.items()
            ),
        ]
        lines += [*self._problems(), *self._labels(), *self._other_columns()]
        for section in ("split", "submission"):
            if section in self.settings:
                lines += ["", f"[{section}]"]
                lines += [
                    self._line(k, v, self.why["split"] if k == "kind" else "")
                    for k, v in self.settings[section].items()
                ]
        return "\n".join(lines) + "\n"

    def _labels(self) -> list[str]:
        labels = dict(self.settings.get("labels", {}))
        attributes = labels.pop("attributes", {})
        multi = labels.pop("multi", {})
        lines = ["", "[labels]", *(self._line(k, v, self.why.get(k, "")) for k, v in labels.items())]
        if multi:
            lines += ["", f"# {_comment(self.why.get('multi', ''))}", "[labels.multi]"]
            lines += [self._line(k, v, "") for k, v in multi.items()]
        for name, values in attributes.items():
            lines += [
                "",
                f"# {_comment(self.why.get(f'attribute {name}', ''))}",
                f"[labels.attributes.{toml_text.key_text(name)}]",
            ]
            lines += [self._line(k, v, "") for k, v in values.items()]
        return lines

    def _other_columns(self) -> list[str]:
        others = [i for i in self.inferences if i.what.startswith("column ")]
        if not others:
            return []
        named = [f"#   {_comment(i.what.removeprefix('column '))}: {_comment(i.reason)}" for i in others]
        return ["", "# Columns not taken for labels:", *named]

    def _problems(self) -> list[str]:
        bad = [f"# PROBLEM: {_comment(i.reason)}" for i in self.inferences if i.certainty == "problem"]
        asked = [f"# QUESTION: {_comment(question)}" for question in dict.fromkeys(self.questions)]
        left = [i for i in self.inferences if i.what == "passed over"]
        return bad + asked + [f"# passed over: {_comment(f'{i.value}: {i.reason}')}" for i in left]

    @staticmethod
    def _line(key: str, value: object, why: str) -> str:
        return toml_text.line(key, value, _comment(why))


def _relative(root: Path, folder: Path) -> str:
    """Return `root` relative to `folder` if that is short, else absolute."""
    far = len(Path(os.path.commonpath([root, folder])).parts) < 2
    return str(root) if far else os.path.relpath(root, folder).replace(os.sep, "/")


def _comment(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
