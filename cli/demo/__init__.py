"""The demonstration: the main job, walked once on the embedded cloud."""
