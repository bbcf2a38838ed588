"""Declare a community, see what would change, bring it about."""
