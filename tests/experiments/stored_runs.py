"""Records with true keys in a store, for the tests of what looks after them."""

import numpy as np

from experiments.records import Head, Record, RecordStore, record_key

MADE = {
    "versions": {"jax": "0.10.2", "numpy": "2.4.6"},
    "device": "2 x cpu",
    "machine": "x86_64",
    "dtype": "float64",
    "commit": "0123456789ab",
    "dirty": False,
    "host": "node7",
    "seconds": 2.5,
}


def run(seed=0, study="slowdown", schema=1, scalars=None, **config) -> Record:
    """A record whose key is that of its content."""
    config = {"net": {"kind": "plain", "eps": None}, "h": 0.1, "shape": [2, 3], "seed": seed, **config}
    arrays = {"loss": np.random.default_rng(seed).random(20), "step": np.arange(4)}
    scalars = {"status": "reached", "steps": 3 + seed, "gap": None} if scalars is None else scalars
    return Record(record_key(study, schema, config), study, config, scalars, arrays, MADE)


def stored(folder, *records) -> RecordStore:
    """A store of these records."""
    store = RecordStore(folder)
    for record in records:
        store.put(record)
    return store


def head(record) -> Head:
    """What a record's json file says."""
    return Head(record.key, record.study, record.config, record.scalars, record.provenance, "")
