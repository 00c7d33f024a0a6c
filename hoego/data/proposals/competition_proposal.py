"""The proposal for the mask competition's folders."""

from __future__ import annotations

from pathlib import Path

from hoego.data.proposals.draft import Draft


def competition_proposal(root: Path) -> Draft:
    """Draft the settings for a folder that holds `train/images/{id}_{gender}_{race}_{age}/`."""
    draft = Draft(root=root, dataset={"layout": "competition"})
    draft.infer("layout", "competition", "sure", "train/images/{id}_{gender}_{race}_{age}/ is there")
    draft.infer(
        "subject", "id", "sure", "seven photos of each person; ids that occur with two folders are one"
    )
    draft.labels |= {"target": "composite", "composite": ["mask", "gender", "age"]}
    draft.labels["attributes"] = {
        "mask": {"kind": "nominal", "classes": ["wear", "incorrect", "normal"]},
        "gender": {"kind": "nominal", "classes": ["male", "female"]},
        "age": {"kind": "binned", "edges": [30, 60]},
    }
    draft.infer("attribute mask", "nominal", "sure", "from the photo's name: mask1-5, incorrect_mask, normal")
    draft.infer("attribute gender", "nominal", "sure", "from train.csv or the folder's name")
    draft.infer(
        "attribute age",
        "binned",
        "sure",
        "from train.csv or the folder's name; under 30, 30 to 59, 60 and over",
    )
    draft.infer("target", "composite", "sure", "6*mask + 3*gender + age, as the competition has it")
    if (root / "eval" / "info.csv").is_file():
        draft.dataset["unlabelled"] = "eval"
        draft.submission["info"] = "eval/info.csv"
        draft.infer("unlabelled", "eval", "sure", "eval/info.csv lists the photos to submit")
    return draft
