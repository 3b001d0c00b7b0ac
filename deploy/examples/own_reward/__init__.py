"""An example of an intrinsic reward of your own: surprise at what the others do."""
