"""Trained models for other programs: ONNX files and a scikit-learn estimator."""
