"""Data sets that scikit-learn downloads, checks and keeps in its data folder."""

import warnings
from pathlib import Path
from typing import Any

from omote.errors import OmoteError


def download(name: str, loader: str, data_home: str | Path | None, **options: Any) -> Any:
    """Return what the function `loader` of `sklearn.datasets` returns.

    Args:
        name: of the data set, for the message.
        data_home: scikit-learn's data folder; its default if None.
        options: further arguments of the loader.
    Raises:
        OmoteError: If the download fails, or the files are damaged.
    """
    from sklearn import datasets

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Retry downloading"; whether it succeeds is what counts
            return getattr(datasets, loader)(data_home=data_home, **options)
    except Exception as error:  # whatever the network layers or the readers of a damaged file raise
        raise OmoteError(
            f"scikit-learn could not get the {name} ({type(error).__name__}: {error}). They are downloaded once, which "
            "needs a network. On a machine without one, copy the folder ~/scikit_learn_data that "
            f"sklearn.datasets.{loader}() fills on another machine, and name it (data_home). Looked in "
            f"{datasets.get_data_home(data_home)}; if the files are there but damaged, remove them."
        ) from error
