"""How many cores a process uses: serving one (more cores are used by more processes), training all."""

from __future__ import annotations

import os
import warnings

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def use_cores(count: int = 1) -> None:
    """Bind every library that starts threads of its own; call it before numpy or Rasa is imported."""
    for variable in _VARIABLES:
        os.environ[variable] = str(count)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
    # Rasa's libraries warn about each other, and Rasa sets the filters back: nothing a user could act on.
    warnings.showwarning = _silent


def _silent(*_: object, **__: object) -> None:
    """Show nothing."""
