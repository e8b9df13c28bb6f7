"""The demo: data arrives, models train and compete, on real flights and the local stack, in one command."""
