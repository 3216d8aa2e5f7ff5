"""What the application reaches: a walk over the imports of its modules, then the ELF files behind them."""
