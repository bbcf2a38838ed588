"""Visiting appliances over SSH: commands, logs and what a support case needs, by pinned host keys only."""
