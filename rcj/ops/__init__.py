"""Operations with native kernels, each checked against a pure-JAX reference."""
