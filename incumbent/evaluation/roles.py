"""The roles of models that are scored beside the champion, as the documents of scores name them."""

PREDECESSOR = "predecessor"  # it would be champion without the champion's promotion
SHADOW = "shadow"  # the challenger that was held last
SHADOWS = (SHADOW, "held challenger")  # the second by releases before

BASELINE = "the trivial baseline"
"""What a first model is compared with."""

TOOK_OFFICE = ("promote", "provisional")
"""The decisions after which the challenger is champion, as runs record them."""

UNSCORED = ("reject", "pending", "refused", "expired")
"""What becomes of a challenger that no arrival scores, as it is neither champion nor shadow."""
