"""The tape: where a structured kernel meets a model, without a derivative by any weight.

Every parameter of a block lives in an affine map z = phi @ weights, with phi the map's features: its input and, for a
bias, a constant column. So df/dweights = phi^T (df/dz), and a tape handed to a block sees both factors: it notes each
phi, and adds a perturbation to each z by which f can be differentiated.
"""

from jaxtyping import Array, Float


class Tape:
    """The affine maps of one forward pass, in the order in which they were applied.

    perturbations: one array per affine map, added to its output z (all zero: the pass is unchanged, and the gradient
    by perturbation l is df/dz_l); None adds nothing.  After the pass `features[l]`, of shape (n, ..., p), is what the
    map's stacked weights were multiplied with, and `outputs[l]`, of shape (n, ..., q), is z_l.

    A tape lives inside one traced call. It assumes that two affine maps never share weights, which holds for every
    tree of blocks: the parameters mirror the tree.
    """

    def __init__(self, perturbations: list[Array] | None = None) -> None:
        self.perturbations = perturbations
        self.features: list[Array] = []
        self.outputs: list[Array] = []

    def record(self, features: Float[Array, "n *t p"], output: Float[Array, "n *t q"]) -> Float[Array, "n *t q"]:
        """Note one affine map; return its output with this map's perturbation added."""
        if self.perturbations is not None:
            output = output + self.perturbations[len(self.outputs)]
        self.features.append(features)
        self.outputs.append(output)
        return output
