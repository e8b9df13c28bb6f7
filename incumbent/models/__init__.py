"""A version as a model: schema, a learner's model and calibration; how it predicts, exports and is verified.

Models here are trained already; this room knows neither training nor comparison.
"""
