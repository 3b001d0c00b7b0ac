"""Fails unless the installed torch is the one that the image is for: `cpu` or `cuda`."""

import sys

import torch

wanted = sys.argv[1]
if (torch.version.cuda is None) != (wanted == "cpu"):
    sys.exit(f"wanted torch for {wanted}, found {torch.__version__}: see TORCH_INDEX in README.md")
