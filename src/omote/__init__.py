"""omote: features of facial expressions, separated from the person's identity, learned without emotion labels.

    faces = omote.prepare("photos", "faces")
    trained = omote.train(faces, "run", omote.TrainConfig(test_subjects=3))
    omote.evaluate(trained, faces).table

`__init__.pyi` lists the public names. Each is imported when it is first used, so `import omote` is fast.
"""

from typing import Any

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":  # of the installed package, which has it from the git tag
        from importlib.metadata import version

        return version("omote")
    return _load(name)
