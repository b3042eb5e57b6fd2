"""The model test: engine and turns on real servers, crashed at every await, beside a plain model."""
