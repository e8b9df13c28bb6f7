r"""Which regular expressions mean the same to Python and to RE2, on one line of ASCII.

Literals, classes, groups, alternatives, repetitions and the anchors ^ and $; no \s, which RE2 knows less
of, no look-around, back-references, flags or possessive repetitions.
"""

import re
import warnings

_PORTABLE = re.compile(
    r"""(?:
        [A-Za-z0-9_\ @:/,;=<>%&~!"'-]
      | \\ [dDwW.+*?()\[\]{}|^$/\\-]
      | \[ \^? (?: [A-Za-z0-9_\ @:/,;=<>%!"'.+*?(){}|$#-] | \\ [dw.+*?()\[\]{}|^$/\\-] )+ \]
      | \( (?: \?: | (?! \? ) )
      | [.|)^$]
      | (?: [*+?] | \{ [0-9]{1,3} (?: , (?: [0-9]{1,3} )? )? \} ) \??
    )*""",
    re.VERBOSE,
)


def is_portable(regex: str) -> bool:
    """Whether re.search and RE2 find it in the same lines of ASCII."""
    if not _PORTABLE.fullmatch(regex):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as of a set within a set
            re.compile(regex)
    except (re.error, RecursionError, FutureWarning):
        return False
    return not re.search(r"[*+?}]\+", regex)  # possessive
