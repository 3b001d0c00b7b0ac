"""What the processor can do for a network that learns on it."""

from __future__ import annotations

import torch


def fast_in_bfloat16() -> bool:
    """Whether this processor has instructions for products in bfloat16, so that they pay.

    Any other gives the same numbers, at a higher price than float32's.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
