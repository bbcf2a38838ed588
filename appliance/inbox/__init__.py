"""The inbox: files that people copy into a shared folder become kept instances, or stay with the reason beside them."""
