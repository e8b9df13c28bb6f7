"""For each expectation what to ask of DuckDB, and the metrics of Great Expectations that follow.

Only what pandas is certain to see the same way is asked; anything else raises NeedsPandas. Sums and what
follows from them depend on the order of addition: they are pandas' own, of one column at a time. Why this is
worth its code: docs/decisions/0008.
"""

from collections.abc import Mapping

from incumbent.gate.cell_plans import CELL_PLANS
from incumbent.gate.column_plans import COLUMN_PLANS
from incumbent.gate.table import MakePlan

PLANS: Mapping[str, MakePlan] = {**CELL_PLANS, **COLUMN_PLANS}
