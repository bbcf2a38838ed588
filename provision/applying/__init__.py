"""Take the steps of a plan, and everything else that changes the cloud."""
