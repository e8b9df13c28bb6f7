"""Flights in the US, January to June 2001 (Bureau of Transportation Statistics), as vega-datasets has them.

npm pack vega-datasets@3.2.1 && tar xzf vega-datasets-3.2.1.tgz package/data/flights-3m.parquet
"""

from pathlib import Path

import pandas as pd


def load(path: Path, rows: int, seed: int = 0) -> pd.DataFrame:
    """A sample of its three million rows, in time: what was known before take-off, and `late`."""
    whole = pd.read_parquet(path)
    flights = whole.sample(min(rows, len(whole)), random_state=seed).sort_values("date")
    return flights.drop(columns="delay").assign(
        late=flights["delay"] > 15, hour=flights["date"].dt.hour, weekday=flights["date"].dt.day_of_week
    )
