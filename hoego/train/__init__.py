"""Training: the only rooms of the house that import torch and timm."""
