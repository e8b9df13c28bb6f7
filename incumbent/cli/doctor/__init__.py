"""incumbent doctor: asks everything that a project needs of its machine and its servers. Changes nothing.

A module a subject, each a group of checks; a check ends in a finding, never in an exception.
"""
