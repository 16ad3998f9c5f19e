"""The type checker of the import hook: beartype, with whole numbers accepted as floats."""

from beartype import BeartypeConf, beartype

typecheck = beartype(conf=BeartypeConf(is_pep484_tower=True))
