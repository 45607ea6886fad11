"""Check a certificate of `uniformity certify` anew: python experiments/certify/checker.py CERTIFICATE.json

Shares only FLINT with the generator. All in balls, derivatives forward: a number is the row (value, its P derivatives).
Exit 0 if K - floor I is positive definite with the given pivots, else one sentence, exit 1. seed is information only.
"""

import json
import sys
from pathlib import Path

# pyright: reportIndexIssue=false
from flint import arb, arb_mat, ctx, fmpq

STATEMENT = "K(theta) - floor I is positive definite; K = J J^T, J = d outputs / d theta at the points"
PLAIN, BRANCH = "kind dim width depth outputs activation scaling", " bottleneck normalisation eps"
FIELDS = {"plain": PLAIN, "residual": PLAIN + BRANCH, "transformer": PLAIN + BRANCH + " heads tokens"}


def require(holds, sentence):
    if not holds:
        sys.exit(f"refused: {sentence}")


def through(value, slope, a):  # a function of the number a, given its value and slope there
    result = a * slope
    result[0, 0] = value
    return result


def dot(a, b):
    return sum(through(p[0, 0] * q[0, 0], q[0, 0], p) + through(0, p[0, 0], q) for p, q in zip(a, b, strict=True))


def outputs(a, x, theta):  # at one sample x, a list of tokens; theta in the order of the flattened tree
    def draw(rows, columns):
        return [[next(theta) for _ in range(columns)] for _ in range(rows)]

    def affine(x, biases, *weights):
        return [[dot(row, w) + b for b, *w in zip(biases, *weights, strict=True)] for row in x]

    def plus(x, y):
        return [[p + q for p, q in zip(u, v, strict=True)] for u, v in zip(x, y, strict=True)]

    def activate(u):
        z, root = u[0, 0], arb(2).sqrt()
        cdf, pdf = (1 + (z / root).erf()) / 2, (-z * z / 2).exp() / root / arb.pi().sqrt()
        return through(*{"tanh": (z.tanh(), 1 / z.cosh() ** 2), "gelu": (z * cdf, cdf + z * pdf)}[a["activation"]], u)

    def layernorm(row):
        centred = [z - sum(row) / len(row) for z in row]
        variance = dot(centred, centred) / len(row)
        root = (variance[0, 0] + arb(fmpq(a["eps"]))).sqrt()
        return [dot([z], [through(1 / root, -1 / (2 * root**3), variance)]) for z in centred]

    def attention(x, size):
        out, z, mixed = draw(1 + width, width), affine(x, *draw(1 + width, 3 * width)), [[] for _ in x]
        for h in range(a["heads"]):
            query, key, value = ([row[k * width + h * size :][:size] for row in z] for k in range(3))
            for q, row in zip(query, mixed, strict=True):
                powers = [through(s[0, 0].exp(), s[0, 0].exp(), s) for s in [dot(q, k) / arb(size).sqrt() for k in key]]
                share = through(1 / sum(powers)[0, 0], -1 / sum(powers)[0, 0] ** 2, sum(powers))
                row += [dot([dot(powers, column)], [share]) for column in zip(*value, strict=True)]
        return affine(mixed, *out)

    width, units, plain, sequences = a["width"], a.get("bottleneck", a["width"]), a["kind"] == "plain", "tokens" in a
    normal = {"none": list, "layernorm": lambda x: [layernorm(row) for row in x]}[a.get("normalisation", "none")]
    x = x if plain else affine(x, *draw(1 + a["dim"], width))
    x = plus(x, draw(a["tokens"], width)) if sequences else x
    for fan_in in ([a["dim"] if plain else width] + [width] * a["depth"])[: a["depth"]]:
        x = plus(x, attention(normal(x), width // a["heads"])) if sequences else x
        z = [[activate(entry) for entry in row] for row in affine(normal(x), *draw(1 + fan_in, units))]
        x = z if plain else plus(x, affine(z, *draw(1 + units, width)))
    x = [[sum(column) / len(x) for column in zip(*normal(x), strict=True)]] if sequences else x
    return affine(x, *draw(1 + width, a["outputs"]))[0]


def check(schema, statement, architecture, seed, bits, floor, pivots, points, theta):
    a, ctx.prec, size, floor, rows = architecture, 2 * bits, len(theta), fmpq(floor), []
    require((repr(schema), statement) == ("1", STATEMENT), "schema and statement are not those of this checker")
    require(set(a) == set(FIELDS[a["kind"]].split()), "the architecture's fields are not those of its kind")
    require(all(isinstance(v, str) or (type(v) is int and v > 0) for v in a.values()), "a count is no positive integer")
    require(a["scaling"] == "xavier" and fmpq(a.get("eps", 1)) > 0, "scaling must be xavier, and eps positive")
    theta = [arb_mat(1, 1 + size, [fmpq(t), *(int(i == j) for j in range(size))]) for i, t in enumerate(theta)]
    for point, left in [(point, iter(theta)) for point in points]:
        x = [[through(arb(fmpq(z)), 0, theta[0]) for z in row] for row in (point if "tokens" in a else [point])]
        rows += [y.entries()[1:] for y in outputs(a, x, left)]
        require(not list(left), "theta has more numbers than the architecture has parameters")
    shifted, n = arb_mat(rows) * arb_mat(rows).transpose() - floor * arb_mat(len(rows), len(rows), 1), len(rows)
    minors = [arb(1), *(arb_mat([row[:m] for row in shifted.tolist()[:m]]).det() for m in range(1, n + 1))]
    require(n and floor > 0 and all(minor > 0 for minor in minors), "K - floor I is not certainly positive definite")
    agree = [p > 0 and p.is_finite() and p.overlaps(minors[m + 1] / minors[m]) for m, p in enumerate(map(arb, pivots))]
    require(len(agree) == n and all(agree), "the architecture's pivots at theta are not those of the certificate")
    print(f"verified: lambda_min(K(theta)) > {floor} > 0 ({a['kind']}, {n} pivots, P = {size})")


if __name__ == "__main__":
    try:
        check(**json.loads(Path(sys.argv[1]).read_text()))
    except Exception as error:
        sys.exit(f"refused: no whole certificate ({error!r})")
