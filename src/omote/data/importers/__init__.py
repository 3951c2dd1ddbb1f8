"""Importers: each finds the clips of one kind of source and lists what it leaves out. They read no pixels."""
