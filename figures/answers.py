"""README's table of what each study found: its own sentences, the numbers from the committed summary.

A placeholder {label} stands for the study's slope or estimate of that label, with its 95% bootstrap interval over
seeds.
"""

import re
from typing import Any

from figures.style import quoted

ANSWERS: dict[str, str] = {
    "separation_law": (
        "Slope of $E h_{\\min}$ in $N$, uniform on the torus: {E h_min in N, uniform, torus, d=1} ($d = 1$), "
        "{E h_min in N, uniform, torus, d=2} ($d = 2$), {E h_min in N, uniform, torus, d=3} ($d = 3$), that is "
        "$-2/d$; $\\lVert\\pi\\rVert_2$ governs, not $\\sup\\pi$."
    ),
    "greedy_designs": (
        "In $d = 2$, independent points {h_min in N, independent, d=2}; farthest-first from twice as many candidates "
        "{h_min in N, greedy, M = 2 N, d=2}, but from eight spare ones {h_min in N, greedy, M = N + 8, d=2}; Sobol' "
        "points {h_min in N, Sobol', d=2}: what is not chosen for separation does not have it."
    ),
    "kernel_spectrum": (
        "Exponent of $\\lambda_{\\min}$ at the smallest $h$, plain network: tanh {plain tanh, two smallest h}, GELU "
        "{plain gelu, two smallest h}, ReLU {plain relu, two smallest h}; clusters of 3 and 4 points "
        "{plain tanh cluster of 3, two smallest h} and {plain tanh cluster of 4, two smallest h}."
    ),
    "tail_slope": (
        "No, not for every labelling. Plain network, exponent of the tail rate in $h$: Lipschitz labels "
        "{plain tail rate, smooth, two smallest h}, gap {plain tail rate, gap, two smallest h}, noise "
        "{plain tail rate, noise, two smallest h}: a minimum that fits a gap is the steeper the closer the points, and "
        "the bound, which allows that, holds."
    ),
    "slowdown": (
        "Exponent of the steps, residual network: label gap {residual network, gap, all h}, Lipschitz labels "
        "{residual network, smooth, all h}, frozen kernel with the gap {residual linearised, gap, all h}. Where the "
        "pair's own loss is below the target, $h$ costs Lipschitz labels a factor "
        "{factor in steps to eps above the pair's loss, Lipschitz labels}."
    ),
    "selection_dial": (
        "Noisy labels: $h_{\\min}$ ranks the steps at {steps by h_min, all noise, within seed}, as well as "
        "$\\lambda_{\\min}$ {steps by lambda_min, all noise, within seed}. Lipschitz labels: hardly, "
        "{steps by h_min, all smooth, within seed}; $r^\\top K^{-1} r$ better, "
        "{steps by distance, all smooth, within seed}."
    ),
    "approximation": (
        "Neither $h_{\\min}$ nor $h_{\\mathrm{fill}}$ orders all designs (rank correlation of the sup error, plain, "
        "$d = 2$: {rank correlation of sup error with 1/h_min, plain d=2, all designs} and "
        "{rank correlation of sup error with h_fill, plain d=2, all designs}). A hundredth of the $h_{\\min}$ at equal "
        "coverage changes the error by a factor "
        "{sup error at 1/100 of the h_min over before, equal coverage, plain d=2}: $h_{\\min}$ is not the cause."
    ),
    "convergence": (
        "Every step obeys the inequality. Networks with $P \\ge N$: kernel drift "
        "{kernel drift at the end, P >= N}, the frozen kernel misses the loss by a factor "
        "{factor by which the frozen kernel misses the loss, P >= N}, $\\lambda_{\\min}$ is resolved at a share "
        "{share of steps with lambda_min resolved, P >= N} of the steps; with $P < N$ at "
        "{share of steps with lambda_min resolved, P < N (control)}."
    ),
    "safe_step": (
        "Safe in every run, and conservative: the largest stable step exceeds $1/S$ on the horizon's ball by a factor "
        "{plain 32x2: largest monotone step over 1/S on the ball of radius rho about theta_0} (plain), "
        "{residual 32x2 none: largest monotone step over 1/S on the ball of radius rho about theta_0} (residual), "
        "{transformer 16x1 none: largest monotone step over 1/S on the ball of radius rho about theta_0} "
        "(transformer), and $1/\\max\\lVert\\nabla^2 L\\rVert$ by "
        "{plain 32x2: largest monotone step over 1/max |hess L| along a run}."
    ),
    "propagation": (
        "With the skip no layer is singular, without it every one narrower than its features. "
        "$\\log_{10} h_{\\min}$ of the features changes by {log10 h_min a layer, residual tanh hidden 8, skip} a layer "
        "with it and {log10 h_min a layer, residual tanh hidden 8, no skip} without, $\\log_{10}\\sigma_{\\min}$ by "
        "{log10 sigma_min a layer, residual tanh hidden 8, skip} and "
        "{log10 sigma_min a layer, residual tanh hidden 8, no skip}."
    ),
    "selection_digits": (
        "Sooner on held-out digits, later on its own. Steps, random over uniform, 320 of 1,280 rows, Adam: own rows "
        "{cross-entropy, adam, 320 rows: steps to own loss, late, random / uniform}, held-out "
        "{cross-entropy, adam, 320 rows: steps to held-out loss, late, random / uniform}; points of held-out accuracy "
        "{cross-entropy, adam, 320 rows: held-out accuracy, uniform less random}. $h_{\\min}$ ranks "
        "$\\lambda_{\\min}(K_0)$ at {l2, sgd, all rules: lambda_min by h_min} but the steps on own rows, SGD, at "
        "{l2, sgd, all rules: steps to own loss by h_min}, against the claim: far points are harder to fit."
    ),
    "selection_language": (
        "No. Steps to a loss on the rows trained on, random over uniform: "
        "{small adam: steps to the full run's half training loss, random : uniform} (0.11M parameters), "
        "{large adam: steps to the full run's half training loss, random : uniform} (0.43M); held-out loss at the end, "
        "uniform less random: {small adam: cross-entropy held-out at the end, uniformity (uniform - random)} and "
        "{large adam: cross-entropy held-out at the end, uniformity (uniform - random)} nats."
    ),
    "width_scaling": (
        "It saturates for plain networks, exponent in the width {plain: monotone step in width, 3 largest}, and for "
        "transformers with $\\tau_\\epsilon$ {transformer, tau: monotone step in width, 3 largest}, but not with "
        "LayerNorm {transformer, layernorm: monotone step in width, 3 largest}."
    ),
}


def answered(summary: dict[str, Any]) -> str:
    """A study's answer with its numbers. Raises KeyError for a label that the summary does not have."""
    found = {row["label"]: row for row in (*summary["estimates"], *summary["slopes"])}
    # The braces of a formula hold no blank.
    return re.sub(r"\{([^{}]* [^{}]*)\}", lambda match: quoted(found[match[1]], ".3g"), ANSWERS[summary["study"]])


def answers_table(summaries: list[dict[str, Any]]) -> str:
    """A row a study: what it asked, what came out."""
    lines = ["| Study | Asked | Found |", "| --- | --- | --- |"]
    for summary in summaries:
        name = summary["study"]
        link = f"[{summary['code']}](experiments/studies/{name}.py), [figure](figures/gallery/{name}.png)"
        lines.append(f"| {link} | {summary['question'].replace('|', chr(92) + '|')} | {answered(summary)} |")
    return "\n".join(lines)
