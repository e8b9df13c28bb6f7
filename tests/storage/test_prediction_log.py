"""What monitor reported of a version is read back: the latest, and of this version alone."""

import time

from incumbent.storage.s3.address import open_store
from incumbent.storage.serving.prediction_log import Feedback
from tests.conftest import BUCKET, S3


def test_the_last_verdict_of_a_version_is_read_back(s3: S3) -> None:
    feedback = Feedback(open_store(f"s3://{BUCKET}/prediction-log"))
    assert feedback.last_verdict("v1") is None
    for version, reason in (("v1", "before"), ("v1", "after"), ("v10", "before"), ("v1", "before")):
        feedback.keep_verdict(version, {"estimate_reason": reason})
        time.sleep(1.1)  # S3 tells when an object was written to the second
    last = feedback.last_verdict("v1")
    assert last is not None
    assert last["estimate_reason"] == "before"  # an equal report is one document, and the latest again
    feedback.keep_verdict("v1", {"estimate_reason": "after"})
    assert (feedback.last_verdict("v1") or {})["estimate_reason"] == "after"
    assert (feedback.last_verdict("v10") or {})["estimate_reason"] == "before"
    assert feedback.last_verdict("v2") is None
