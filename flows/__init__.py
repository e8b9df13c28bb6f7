"""Order only: one flow a file, one screen each."""
