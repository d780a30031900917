"""Alerts: their content, their groups, their delivery."""
