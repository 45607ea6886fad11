"""Point sets with a known separation: domains, families behind one constructor, and densities with known norms."""

from experiments.points.domains import Cube, Domain, Sphere, Tokens, Torus
from experiments.points.families import FAMILIES, Family, PointSet, construct, dials_of

__all__ = ["FAMILIES", "Cube", "Domain", "Family", "PointSet", "Sphere", "Tokens", "Torus", "construct", "dials_of"]
