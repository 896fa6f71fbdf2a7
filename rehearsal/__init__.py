"""Played time: a portfolio lived through in minutes, with simulated customers outside."""
