"""The device that a learner trains on."""

from __future__ import annotations

import torch

from ssd_wire.errors import RunFileError


def torch_device(name: str) -> torch.device:
    """The device of this name, set to compute float32 in full precision.

    Raises:
        RunFileError: there is no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError as fault:
        raise RunFileError(f"--device: wanted cpu, cuda or cuda:INDEX, found {name!r}") from fault
    if device.type not in ("cpu", "cuda"):
        raise RunFileError(f"--device: wanted cpu, cuda or cuda:INDEX, found {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise RunFileError(
            f"--device {name}: wanted a CUDA device of this number, "
            f"found {torch.cuda.device_count()} CUDA devices"
        )
    # With TF32, cuDNN's default, an H100's gradients differed from the CPU's by a relative 1e-3 and
    # its log-probabilities by up to 2e-4; with float32 by 7e-7 and 2e-6.
    torch.backends.cudnn.allow_tf32 = False
    return device
