"""Files and rows before any model: read as what they are, in their own kinds, keys, periods and sides.

What comes in is a file or a table and what params.yaml declares of it. Nothing here knows a model or S3.
"""
