"""What stands behind `uniformity explore`: one state of its controls, and all that is computed from it.

A `State` is every control as a plain value; `scene` makes points, labels and the network of it; the panels measure the
scene before training, `Training` trains it, `claim_lines` says what each claim says of it. No browser, no drawing.
"""
