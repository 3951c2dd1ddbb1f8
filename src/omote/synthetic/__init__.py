"""Synthetic faces with known factors: painted in 2D (`drawn`), or rendered from a 3D face model (`rendered`)."""
