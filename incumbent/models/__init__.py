"""What a version is: a schema, a learner's model and its calibration; it predicts, exports, proves itself.

A model here is made already; how it was trained, and what it is compared with, is not known.
"""
