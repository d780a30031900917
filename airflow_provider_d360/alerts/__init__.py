"""Alerts: their content, their cooldowns, their delivery."""
