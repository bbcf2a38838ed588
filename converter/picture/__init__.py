"""From rendered pixels to PNG, animations and contact sheets."""
