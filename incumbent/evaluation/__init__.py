"""Measure what is new, plan, judge two models on held-out rows, decide, and look back on it.

Pure functions of tables, models and params: who acts on a conclusion, and where it is kept, is not known.
"""
