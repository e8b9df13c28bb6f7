"""The command `incumbent`: a thin door to the flows, the registry and the local stack."""

import gc
import sys

from incumbent.errors import IncumbentError


def main() -> None:
    """Run the command. A known error is one message on stderr and exit code 1, never a traceback."""
    # Imports make hundreds of thousands of objects and no garbage; looking for some in them, while they are
    # made and once more at the end, would be a quarter of what a short command costs.
    gc.set_threshold(10_000)
    from incumbent.cli.commands import app

    try:
        app()
    except IncumbentError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    finally:
        gc.freeze()
