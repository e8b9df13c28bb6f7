"""How hard the tests try: `make test-deep` makes more examples, more studies and longer bursts."""

import os

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
