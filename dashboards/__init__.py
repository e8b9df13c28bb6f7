"""Grafana's dashboards as code: `make dashboards` writes incumbent/monitoring/grafana/*.json.

Only for those who change them: the package ships the JSON. Knows the metrics by name, and nothing of ours.
"""
