"""Images carried from a workstation to the front end, which OpenNebula itself cannot do."""
