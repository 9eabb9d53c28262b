//! A real model, where BURN_KTO_SMOLLM2 names its folder and ../shared has the benchmarks.
