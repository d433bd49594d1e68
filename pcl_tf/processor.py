"""What the processor can do, where that decides what to advise."""

import pathlib

CPUINFO = pathlib.Path("/proc/cpuinfo")
BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16")  # x86, x86, ARM


def has_bfloat16(cpuinfo: str) -> bool | None:
    """Whether a processor multiplies bfloat16 itself.

    Args:
      cpuinfo: text of /proc/cpuinfo.

    Returns:
      bool; None where the text names no features.
    """
    lines = [line for line in cpuinfo.splitlines() if line.lower().startswith(("flags", "features"))]
    if not lines:
        return None
    return any(unit in lines[0].split() for unit in BFLOAT16_UNITS)


def precision_warning(precision: str, gpus: int, cpuinfo: str) -> str:
    """One line for a precision that this machine only emulates, or ''.

    Args:
      precision: dtype policy name.
      gpus: how many GPUs compute.
      cpuinfo: text of /proc/cpuinfo.
    """
    if precision != "mixed_bfloat16" or gpus or has_bfloat16(cpuinfo) is not False:
        return ""
    return (
        "warning: --precision=mixed_bfloat16: this processor has no AVX512-BF16 or AMX-BF16, so bfloat16 is emulated"
        " and slow; --precision=float32 is what it computes in."
    )
