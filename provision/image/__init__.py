"""The image of an appliance: a Debian with the service in it, made from packages and wheels alone."""
