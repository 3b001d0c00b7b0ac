"""Whether the processor is fast with bfloat16."""

from __future__ import annotations

import torch


def has_fast_bfloat16() -> bool:
    """Whether this processor has instructions for matrix products in bfloat16.

    Other processors compute the same numbers, more slowly than float32's.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
