"""How often do equal models ever change places, and how soon does a better one, when every arrival is a look?

Simulated sequences of arrivals: a rival's gain over the champion on each, by days whose rows share an error.
The rule acts on the first arrival after which it is sure. Beside the confidence sequence stands the same
level used anew at each look, as if it were the only one.

    python bench/verdicts.py [--sequences 1000] [--arrivals 40]
"""

import argparse
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy.special import stdtrit

from incumbent.compare import ArrivalGain, confidence_sequence

Rule = Callable[[Sequence[ArrivalGain], float], bool]

DAYS = {"months": (28, 31), "weeks": (5, 7), "few days": (2, 3)}
NOISE = {
    "normal": lambda rng, size: rng.normal(size=size),
    "heavy tails": lambda rng, size: rng.standard_t(3, size=size) / np.sqrt(3),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sequences", type=int, default=1000)
    arguments.add_argument("--arrivals", type=int, default=40)
    asked = arguments.parse_args()
    print(f"{asked.sequences:,} sequences of {asked.arrivals} arrivals of unequal size, each a look")
    print(f"{'':<34}{'confidence sequence':>28}{'each look by itself':>28}")
    print("the rival ever takes office (after how many arrivals, median)")
    for effect, title in ((0.0, "equal models"), (0.3, "better by 0.3 of a day's deviation")):
        print(title)
        for confidence in (0.95, 0.8):
            for days in DAYS:
                for noise in NOISE:
                    drawn = list(sequences(asked.sequences, asked.arrivals, days, noise, effect))
                    cells = [shares(drawn, rule, confidence) for rule in (anytime, fixed)]
                    print(
                        f"{f'  {days}, {noise}, {confidence:g}':<34}"
                        + "".join(f"{each:>28}" for each in cells)
                    )


def sequences(count: int, arrivals: int, days: str, noise: str, effect: float) -> Iterator[list[ArrivalGain]]:
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield [
            arrival(rng, int(rng.integers(*DAYS[days], endpoint=True)), noise, effect)
            for _ in range(arrivals)
        ]


def arrival(rng: np.random.Generator, days: int, noise: str, effect: float) -> ArrivalGain:
    rows = np.ceil(200 * np.exp(rng.normal() + 0.3 * rng.normal(size=days)))
    gains = NOISE[noise](rng, days) + effect
    share = rows / rows.sum()
    gain = float(share @ gains)
    error = float(np.sqrt(((share * (gains - gain)) ** 2).sum() * days / (days - 1)))
    return ArrivalGain(gain, error, days - 1.0, int(rows.sum()))


def shares(drawn: Sequence[list[ArrivalGain]], rule: Rule, confidence: float) -> str:
    first = [
        next((looks for looks in range(1, len(gains) + 1) if rule(gains[:looks], confidence)), None)
        for gains in drawn
    ]
    acted = [each for each in first if each is not None]
    median = f"{np.median(acted):.0f}" if acted else "–"
    return f"{len(acted) / len(drawn):.1%} ({median})"


def anytime(gains: Sequence[ArrivalGain], confidence: float) -> bool:
    return confidence_sequence(gains, confidence).exceeds(0)


def fixed(gains: Sequence[ArrivalGain], confidence: float) -> bool:
    variances = np.array([(each.rows * each.standard_error) ** 2 for each in gains])
    dof = variances.sum() ** 2 / sum(v**2 / each.dof for v, each in zip(variances, gains, strict=True))
    total = sum(each.rows * each.gain for each in gains)
    return bool(total > stdtrit(dof, confidence) * np.sqrt(variances.sum()))


if __name__ == "__main__":
    main()
