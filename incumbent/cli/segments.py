"""Who serves which segment, as a table."""

from typing import Any

from incumbent.cli.options import table


def segments_table(segments: dict[str, Any]) -> str:
    """segments: a manifest's entry. The values with a correction come first, the greatest gain on top."""
    tried = sorted(
        segments["tried"].items(), key=lambda each: (not each[1]["serves"], -(each[1]["gain"] or 0))
    )
    rows = [
        [
            value,
            f"{each['rows']:,}",
            "–" if each["gain"] is None else f"{each['gain']:+.4f}",
            "–" if each["q"] is None else f"{each['q']:.3g}",
            "its correction" if each["serves"] else each["reason"] or "the model alone",
        ]
        for value, each in tried
    ]
    rest = f"the model alone serves {segments['rest']:,} training rows in all"
    if not tried:
        least = f"segments.min_rows = {segments['min_rows']:,}"
        return f"no value of {segments['by']} has {least} training rows; {rest}"
    return f"{table([segments['by'], 'rows', 'gain', 'q', 'served by'], rows)}\n{rest}"
