"""AlignGemini: a vision-language model and a pixel expert that detect generated images together."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Detector", "__version__"]


def __getattr__(name: str) -> Any:
    """Load `Detector` on first use: it brings torch, which `aligngemini --help` should not wait for."""
    if name == "Detector":
        from aligngemini.detector import Detector

        return Detector
    raise AttributeError(f"module 'aligngemini' has no attribute {name!r}")
