"""The command `incumbent`: a thin door to the flows, the registry and the local stack."""

import sys

from incumbent.errors import IncumbentError


def main() -> None:
    """Run the command. A known error is one message on stderr and exit code 1, never a traceback."""
    from incumbent.cli.commands import app

    try:
        app()
    except IncumbentError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
