"""One file that answers: a network's coefficients, exported, and the page that reads them."""
