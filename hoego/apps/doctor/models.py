"""Which timm model a folder's name for a network means."""

from __future__ import annotations

import ast
import re

from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.syntax import argument, last

_FAMILIES = re.compile(
    r"^(tf_)?(resnet|resnext|wide_resnet|seresnext|efficientnet|efficientnetv2|mobilenet|mnasnet|densenet|vgg|vit|deit|"
    r"swin|swinv2|beit|convnext|nfnet|dm_nfnet|eca_nfnet|regnet|rexnet|coat|cait|xception|inception|mixnet|ghostnet|"
    r"hrnet|dpn|ese_vovnet|repvgg|maxvit|mobilevit|eva|focalnet|edgenext|ecaresnet|gernet|skresnet|res2net)\w*([.][\w]+)?$"
)


def timm_name(project: SourceProject, value: str) -> str | None:
    """Return a timm name for what a folder calls its model.

    A name of a known family is taken as it is (in lower case: ResNet18 -> resnet18); a class of the folder
    is looked into for `timm.create_model("...")` or a torchvision constructor.
    """
    inside = _inside(project, value)
    if inside is not None:
        return inside
    plain = value if value.islower() else re.sub(r"[-\s]", "_", value.lower())
    short = re.sub(r"^(efficientnet)[-_]?(b\d)$", r"\1_\2", plain)
    return short if _FAMILIES.match(short) else None


def _inside(project: SourceProject, name: str) -> str | None:
    for module, owner in project.classes.get(name, []):
        for node in ast.walk(owner):
            if not isinstance(node, ast.Call):
                continue
            called = module.name(node.func)
            if last(called) == "create_model":
                given = project.constant(module, argument(node, 0, "model_name"))
                if isinstance(given, str):
                    return given
            if last(called) == "from_pretrained" and node.args:
                given = project.constant(module, node.args[0])
                if isinstance(given, str) and given.startswith("efficientnet-"):
                    return given.replace("efficientnet-", "efficientnet_")
            if "models." in called and _FAMILIES.match(last(called)):
                return last(called)
    return None
