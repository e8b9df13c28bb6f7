"""Every error that this system raises on purpose.

IncumbentError
├── BadInput             the user can fix it: a parameter, a file, a column, a revision
│   ├── BadParams
│   ├── BadData          a table can't be used as it is
│   │   └── NotFinite    a model predicts NaN or infinity
│   │       └── UnfitChallenger  the challenger does
│   ├── NotFound         no such version, revision, partition or bucket
│   ├── StaleRun         a run older than the champion's own
│   └── Blocked          a version that was rolled back
├── Tampered             bytes do not match the digest that the manifest or DVC recorded
│   └── Untrusted        not signed by the key that params.yaml trusts
├── Unfaithful           an exported model's predictions differ from the model's
├── Conflict             somebody else moved the champion first
├── StackStopped         `incumbent down` ended a run that was started by hand
└── StorageUnavailable   S3 or the Prefect server did not answer, or refused access; safe to run again

A normal "no" (skip, block, hold, reject) is a value, never an exception.
"""


class IncumbentError(Exception):
    """Base of all; its text is one complete message for the user: what is wrong, where, what to do."""


class BadInput(IncumbentError):
    """The user can fix it."""


class BadParams(BadInput):
    """params.yaml, an expectation suite or a command's argument is wrong."""


class BadData(BadInput):
    """A data file or a table cannot be used as it is."""


class NotFinite(BadData):
    """A model predicts NaN or infinity; nothing is wrong with the rows."""


class UnfitChallenger(NotFinite):
    """The challenger predicts NaN or infinity; nothing is wrong with the rows."""


class NotFound(BadInput):
    """The named thing does not exist."""


class StaleRun(BadInput):
    """A run that started before the champion's own run may not replace it."""


class Blocked(BadInput):
    """A version that was rolled back may not be promoted."""


class Tampered(IncumbentError):
    """Bytes differ from their recorded digest."""


class Untrusted(Tampered):
    """A version that the trusted key did not sign."""


class Unfaithful(IncumbentError):
    """The predictions of an exported model differ from those of the model it was made from."""


class Conflict(IncumbentError):
    """The champion moved since it was read."""


class StackStopped(IncumbentError):
    """The local stack was stopped while a run went on by it."""


class StorageUnavailable(IncumbentError):
    """A server did not answer or refused the credentials; running again is safe."""
