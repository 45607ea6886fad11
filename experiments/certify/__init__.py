"""Computer-assisted proof that lambda_min(K(theta)) > 0 at one theta, in ball arithmetic (claim G6).

`certificate` proves it and writes it down as JSON; `checker`, which shares no code with it except the FLINT library and
imports neither JAX nor this project, proves it again from the JSON alone:
`python experiments/certify/checker.py CERTIFICATE.json`.
"""
