"""Referrals: a patient's images on their way to another branch, and from another branch to here."""
