"""Trained models as files for other programs: ONNX graphs, and folders of timm."""
