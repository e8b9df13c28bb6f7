"""Plots and the HTML page of a run, made from its documents. This room computes and decides nothing."""
