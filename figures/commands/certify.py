"""`uniformity certify`: a proof in ball arithmetic for one architecture and its data."""

from pathlib import Path
from typing import Literal

from figures.commands.asked import BadInput


def certify(
    *,
    arch: Literal["plain", "residual", "transformer"],
    points: str,
    width: int = 8,
    depth: int = 1,
    activation: str = "tanh",
    outputs: int = 1,
    seed: int = 0,
    out: Path = Path("certificate.json"),
    max_bits: int = 1024,
) -> int:
    """Prove in ball arithmetic that lambda_min(K(theta)) > 0 at one theta, hence from almost every initialisation (G6).

    Parameters
    ----------
    arch
        The transformer is pre-norm with one head and LayerNorm.
    points
        The training inputs: FILE.npy or a text file of numbers, or FAMILY:N:DIM such as uniform:6:2, with the family's
        dials behind as in pair_collapse:6:2:h=0.01; token sequences for a transformer, such as uniform:4:3x2.
    width
        Units of a layer, or the transformer's model width.
    depth
        Hidden layers, residual branches, or transformer layers.
    activation
        tanh or gelu; relu is refused, for it is not analytic.
    outputs
        Outputs of the network.
    seed
        Seed of theta, drawn by the architecture's own initialisation, and of a family of points.
    out
        Where the certificate goes.
    max_bits
        Precision at which to give up; it starts at 64 and doubles.
    """
    import os

    from experiments.architecture import ArchitectureConfig
    from experiments.certify import checker
    from experiments.certify.certificate import certify as prove
    from experiments.certify.given_points import given_points
    from experiments.records import write_atomically

    config = ArchitectureConfig(arch, width=width, depth=depth, outputs=outputs, activation=activation)
    try:
        found = prove(config, given_points(points, seed=seed), max_bits=max_bits, seed=seed)
    except ValueError as error:
        raise BadInput(str(error)) from error
    write_atomically(out, found.to_json())
    floor, pivots, bits = found.proof
    print(f"proved: lambda_min(K(theta)) > {floor} > 0 at one theta ({len(pivots)} pivots, {bits} bits)")
    print(
        "hence for any labels, and then all but countably many step sizes, K(theta_s) > 0 at every step of gradient "
        "descent from almost every theta_0 (paper_notes.md, G6)"
    )
    print(f"written to {out}; to check it independently: python {os.path.relpath(checker.__file__)} {out}")
    return 0
