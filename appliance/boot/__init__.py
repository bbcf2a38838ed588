"""What runs as root in a VM before the service: it makes the machine what its context says.

Standard library only, and little of that: on a small VM every import delays the boot.
"""
