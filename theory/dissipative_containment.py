"""Dissipative containment: if the gradient points inwards on one shell, gradient descent never gets past that shell.

Statement. c any centre, R >= 0, |grad L| <= G on the ball B(c, R), |theta_0 - c| <= R, and
  <theta - c, grad L(theta)> >= (eta/2) |grad L(theta)|^2   for R < |theta - c| <= R + eta G.
Then |theta_s - c| <= R + eta G for every s, without end, and no step from the shell leads outwards,
|theta_{s+1} - c| <= |theta_s - c|. Nothing is asked of the loss beyond the shell, nor any smoothness anywhere: `grad L`
may be any vector field.
  Homogeneous models. f(t theta) = t^p f(theta) for t > 0 gives, for L = (1/2N) |f - y|^2,
  <theta, grad L> = (p/N) (|f|^2 - <f, y>) >= -p |y|^2 / (4N),
  so outside the ball |f - y/2| <= |y|/2 of outputs the loss pushes parameters inwards, and inside never hard outwards.
Hypotheses. H1 the start lies in the ball. H2 the inequality on the shell. H3 |grad L| <= G on the ball.
  H4 (second part only) f is p-homogeneous in theta and obeys Euler's identity <theta, grad f> = p f.
Source. Reconstruction; the one-step computation is Fejer's, Euler's identity is classic.
Proof.  paper_notes.md, G4, lines 1-5.
Sharp.  A slope -G up to R - delta and inward from R on, started at R - delta: R - delta + eta G; equality for fields
  that turn at R. A step from the shell: a field with equality in H2. Second part: f = y/2.
Failure. L = exp(-theta): the minimum at infinity is approached for ever (H2). L = theta^2/2 with eta > 2 (H2).
Units.  eta G in parameter units; <theta, grad L> in loss units.
"""

import math

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="G4",
    title="Dissipative containment",
    statement="<theta - c, grad L> >= (eta/2)|grad L|^2 on the shell R < |theta - c| <= R + eta G keeps every iterate "
    "within R + eta G of c; p-homogeneous f: <theta, grad L> >= -p|y|^2/(4N)",
    hypotheses={
        "start inside": "|theta_0 - c| <= R",
        "dissipative shell": "<theta - c, grad L> >= (eta/2)|grad L|^2 for R < |theta - c| <= R + eta G",
        "gradient bound": "|grad L| <= G on the ball B(c, R)",
        "homogeneous model": "f(t theta) = t^p f(theta) for t > 0, with <theta, grad f> = p f (second part only)",
    },
    provenance="reconstruction",
    source="one step of |theta - c|^2 and induction; Euler's identity for homogeneous models",
    module="dissipative_containment",
    abstract="gradient descent converges beyond the kernel regime, without Lipschitz smoothness of the loss",
    sharp="a slope -G that turns at R, started there; a step with equality in the shell; second part: f = y/2",
    tight=True,
    constants="to be found for the loss at hand: R and G; known: step size, degree and labels",
    standing="conditional",
)


def containment_radius(radius: ArrayLike, gradient_bound: ArrayLike, *, step_size: ArrayLike) -> Float[Array, "..."]:
    """R + eta G, how far from the centre an iterate can ever be (parameter units); broadcasts."""
    return jnp.asarray(radius, float) + jnp.asarray(step_size, float) * gradient_bound


def dissipation(inner_product: ArrayLike, squared_gradient: ArrayLike, *, step_size: ArrayLike) -> Float[Array, "..."]:
    """<theta - c, grad L> - (eta/2)|grad L|^2: half of (|theta_s - c|^2 - |theta_{s+1} - c|^2)/eta, exactly."""
    return jnp.asarray(inner_product, float) - 0.5 * jnp.asarray(step_size, float) * squared_gradient


def homogeneous_dissipation(
    squared_output: ArrayLike, output_label_product: ArrayLike, *, degree: ArrayLike, num_points: ArrayLike
) -> Float[Array, "..."]:
    """(p/N)(|f|^2 - <f, y>) = <theta, grad L> of a p-homogeneous model, sums over all N samples; broadcasts."""
    return jnp.asarray(degree) * (jnp.asarray(squared_output, float) - output_label_product) / num_points


def outward_ceiling(squared_labels: ArrayLike, *, degree: ArrayLike, num_points: ArrayLike) -> Float[Array, "..."]:
    """p |y|^2 / (4N), the most that -<theta, grad L> can be for a p-homogeneous model; broadcasts."""
    return jnp.asarray(degree) * jnp.asarray(squared_labels, float) / (4.0 * jnp.asarray(num_points))


def check(
    *,
    largest_distance: float,
    initial_distance: float,
    radius: float,
    gradient_bound: float,
    step_size: float,
    shell_dissipation: float,
    gradient_margin: float,
    instance: str,
) -> Check:
    """Hold the largest |theta_s - c| of a run of any length against R + eta G.

    shell_dissipation: least `dissipation` over the shell, a proven bound.  gradient_margin: G - sup |grad L| on the
    ball, likewise; sampled ones err high in both, and may admit an instance whose hypotheses fail.
    """
    require.at_least_zero(radius=radius, gradient_bound=gradient_bound)
    require.positive(step_size=step_size)
    bound = float(containment_radius(radius, gradient_bound, step_size=step_size))
    return Check(
        claim=CLAIM.id,
        inequality="containment",
        instance=instance,
        measured=largest_distance,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * bound,
        margins={
            "start inside": radius - initial_distance,
            "dissipative shell": shell_dissipation,
            "gradient bound": gradient_margin,
        },
        vacuous=math.isinf(bound),
    )


def check_step(
    *, distance_after: float, distance_before: float, radius: float, shell_dissipation: float, instance: str
) -> Check:
    """Hold |theta_{s+1} - c| against |theta_s - c| for a step that starts in the shell, distance_before >= R.

    shell_dissipation: as in `check`, for a shell that reaches `distance_before`.
    """
    return Check(
        claim=CLAIM.id,
        inequality="step from the shell",
        instance=instance,
        measured=distance_after,
        sense="<=",
        bound=distance_before,
        rounding=ROUNDING * distance_before,
        margins={"dissipative shell": shell_dissipation, "in the shell": distance_before - radius * (1.0 - ROUNDING)},
    )


def check_homogeneous(
    *,
    inner_product: float,
    squared_labels: float,
    degree: int,
    num_points: int,
    euler_defect: float,
    instance: str,
    term_scale: float = 1.0,
) -> Check:
    """Hold -<theta, grad L> against p|y|^2/(4N).

    euler_defect: max_i |<theta, grad f_i> - p f_i|; above its rounding the model is not homogeneous there.
    term_scale: sum of |entry of theta| |entry of grad L|, whose rounding the inner product inherits.
    """
    if num_points < 1:
        raise ValueError(f"num_points must be at least 1, but was {num_points}")
    bound = float(outward_ceiling(squared_labels, degree=degree, num_points=num_points))
    allowance = ROUNDING * (term_scale + bound)
    return Check(
        claim=CLAIM.id,
        inequality="homogeneous floor",
        instance=instance,
        measured=-inner_product,
        sense="<=",
        bound=bound,
        rounding=allowance,
        margins={"homogeneous model": allowance - euler_defect},
        vacuous=squared_labels == 0.0 and inner_product == 0.0,
    )
