"""Forward simulation compared: what a solve costs here and in the programs that users have."""
