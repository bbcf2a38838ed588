"""Putting another version of the service into a machine that runs: whole, or rolled back.

It belongs to the image, as the boot does, and runs as root: what it installs cannot break it.
"""
