"""The Faust agents: each folds the batches of one input topic; `folds` lists them."""
