"""The whole paper in one command: every row of Table 3, trained, scored and set beside the paper's figures."""
