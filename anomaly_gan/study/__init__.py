"""Many runs, one table: folds and variants of a comparison, and what they say together."""
