"""The whole paper in one command: train and score every row of Table 3, and compare with the paper's figures."""
