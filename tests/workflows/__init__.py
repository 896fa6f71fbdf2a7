"""Histories of running invoices, and workflows on real timers."""
