"""Crash campaigns: the whole product as real processes under load, killed at random moments, and then checked in plain SQL."""
