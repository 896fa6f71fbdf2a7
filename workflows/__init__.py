"""Waiting only: the workflow obeys recorded answers, so a year-old invoice follows tomorrow's law unpatched."""
