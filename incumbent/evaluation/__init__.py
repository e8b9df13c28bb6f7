"""Measure new data, plan a training, judge two models on rows new to both, decide, review past decisions.

Pure functions of tables, models and params: acting on a conclusion and storing it belong to other rooms.
"""
