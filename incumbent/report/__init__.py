"""Pictures and the run's page, of documents that are there already. Nothing is computed or decided here."""
