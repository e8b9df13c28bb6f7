"""Measure new data, plan a training, judge two models on held-out rows, decide, and review past decisions.

Pure functions of tables, models and params: acting on a conclusion and storing it belong to other rooms.
"""
