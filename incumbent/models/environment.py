"""The environment that made a model: enough to install the same one again."""

import platform
from importlib import metadata

PACKAGES = ("lightgbm", "numpy", "optuna", "pandas", "pyarrow", "scikit-learn", "scipy")


def describe_environment() -> dict[str, object]:
    """Versions of Python, of incumbent and of the packages that affect a model, and the platform."""
    return {
        "incumbent": metadata.version("incumbent"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }
