"""Jinja2 templates of what is handed to OpenNebula and put into a VM."""
