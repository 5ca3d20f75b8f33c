"""Training on SageMaker: jobs under a cap, the entry point in the container, the rehearsal, and the sweep."""
