"""Documents that are made from the code, so that they cannot say anything else.

    python -m reference            writes them
    python -m reference --check    says which are stale

Not part of the package that is installed; `tests/unit/reference` fails when one is stale.
"""
