"""Objects by key, with conditional writes and checked reads. The only user of boto3; knows no registry."""
