"""The command `incumbent`: a thin door to the flows, the registry and the local stack."""

import gc


def main() -> None:
    """Run the command. A known error is one message on stderr and exit code 1, never a traceback."""
    from incumbent.cli.ending import orderly

    with orderly():
        from incumbent.cli.surroundings import put_right

        put_right()
        # Imports make hundreds of thousands of objects and no garbage; looking for some in them, while they
        # are made and once more at the end, would be a quarter of what a short command costs.
        gc.set_threshold(10_000)
        try:
            from incumbent.cli.commands import app

            app()
        finally:
            gc.freeze()
