"""How benchmarks write down what is asked and what is right."""
