"""omote: features of facial expressions, separated from the person's identity, learned without emotion labels.

    faces = omote.prepare("photos", "faces")
    trained = omote.train(faces, "run", omote.TrainConfig(test_subjects=3))
    omote.evaluate(trained, faces).table

`__init__.pyi` lists the public names. Each is imported when it is first used, so `import omote` is fast.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
