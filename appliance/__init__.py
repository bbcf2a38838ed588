"""Receive, keep, search, show, share and refer a branch hospital's images."""
