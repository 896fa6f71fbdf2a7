"""The words: what a customer reads or hears, in three languages, and the checks that keep it decent."""
