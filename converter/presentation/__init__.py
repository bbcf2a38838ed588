"""Presentation states: how someone chose to show images."""
