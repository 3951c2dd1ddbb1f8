"""Importers: each finds the clips of one kind of source, and says what it left out; no pixel is read."""
