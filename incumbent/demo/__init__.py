"""The whole story on real flights, with the local stack, in one go."""
