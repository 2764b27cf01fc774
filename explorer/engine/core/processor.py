"""What the processor does by itself."""

from __future__ import annotations

import torch


def multiplies_bfloat16() -> bool:
    """Whether the processor multiplies matrices of bfloat16 itself (AVX512-BF16 or AMX)."""
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check is not None and check() for check in checks)
