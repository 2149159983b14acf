"""DreamerV2 (Hafner et al., "Mastering Atari with Discrete World Models", ICLR 2021), every design
choice a toggle.

Letters of the shapes, once for all modules:

    B  batch            T  replayed steps       N  B * T starts of imagination    H  imagined steps
    A  action           E  embedding            D  deter, the GRU's state      P  latent stats
    S  stoch, flat      F  S + D, features      replay is (B, T, ...), imagination (H + 1, N, ...)
"""
