"""What a model was made with: enough to install the same again."""

import platform
from importlib import metadata

PACKAGES = ("lightgbm", "numpy", "optuna", "pandas", "pyarrow", "scikit-learn", "scipy")


def describe_environment() -> dict[str, object]:
    """Python's version and platform, ours, and the versions of the packages that shape a model."""
    return {
        "incumbent": metadata.version("incumbent"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }
