"""Do our clock and a server's agree? Leases are given and taken over by the clock."""

from incumbent.cli.doctor.finding import Doubtful
from incumbent.errors import BadInput

# Seconds. A lease lasts 120 and is renewed every 30: so far apart, the first heartbeat that is late ends it.
DOUBTFUL, WRONG = 5.0, 30.0


def compare(whose: str, ahead: float) -> str:
    """ahead: seconds that the server's clock is ahead of ours; a `Date` header tells it to about a second."""
    if abs(ahead) < DOUBTFUL:
        return f"{whose} clock and this machine's agree within a few seconds"
    message = (
        f"{whose} clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's: a "
        "lease could be taken from a run that is alive; set the one that is wrong by NTP, here with "
        "'timedatectl set-ntp true'"
    )
    raise BadInput(message) if abs(ahead) >= WRONG else Doubtful(message)
